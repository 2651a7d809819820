//! Every host's certificate and record, and the orders for those that are due.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::cache::{Cache, Lock, Place, Posted};
use super::client::{self, Client};
use super::order::{self, Failure, Issued, Job};
use super::policy::{self, Failed, Kind};
use super::record::Record;
use crate::error::{Mistake, in_one_line};
use crate::files::{self, Stamp};
use crate::host::Host;
use crate::options::{Acme, Seams};
use crate::pair::{Pair, Source};
use crate::status::Trouble;

const PRECHECK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that a host keeps its place among the orders under way.
const ORDER_TIMEOUT: Duration = Duration::from_secs(180);

/// What is known of each host, and how to order.
pub(crate) struct Desk {
    pub(crate) acme: Acme,
    cache: Cache,
    /// Further authorities that the directory's own certificate may be signed by.
    roots: Vec<CertificateDer<'static>>,
    hosts: Mutex<BTreeMap<Host, Holding>>,
    registering: tokio::sync::Mutex<()>,
    provider: Arc<CryptoProvider>,
    seams: Seams,
}

/// One host.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) pair: Option<Arc<Pair>>,
    pub(crate) record: Record,
    /// The certificate's and the record's files, when they were last read.
    seen: [Stamp; 2],
}

impl Holding {
    /// When the next order is due.
    pub(crate) fn due(&self, host: &Host, now_ms: u64) -> u64 {
        policy::due(host.as_str(), self.pair.as_deref(), &self.record, now_ms)
    }
}

impl Desk {
    /// Reads what the cache has. A certificate that cannot be read is as none: it is told, and ordered again.
    pub(crate) fn open(
        acme: &Acme,
        hosts: impl Iterator<Item = Host>,
        provider: Arc<CryptoProvider>,
        seams: Seams,
    ) -> Result<Desk, Mistake> {
        let roots = acme.root.as_deref().map_or(Ok(Vec::new()), roots)?;
        let cache = Cache::open(&acme.cache, &acme.directory)?;
        let hosts = hosts.map(|host| {
            let holding = read(&cache.host(&host), &provider);
            (host, holding)
        });
        let hosts = Mutex::new(hosts.collect());
        Ok(Desk {
            acme: acme.clone(),
            cache,
            roots,
            hosts,
            registering: tokio::sync::Mutex::default(),
            provider,
            seams,
        })
    }

    pub(crate) fn holdings(&self) -> Vec<(Host, Holding)> {
        self.hosts().iter().map(|(host, holding)| (host.clone(), holding.clone())).collect()
    }

    pub(crate) fn has(&self, host: &Host) -> bool {
        self.hosts().contains_key(host)
    }

    /// The challenge for a host of ours, whichever gateway posted it.
    pub(crate) fn posted(&self, host: &Host) -> Option<Posted> {
        if !self.has(host) {
            return None;
        }
        self.cache.host(host).posted(self.seams.clock.now_ms())
    }

    /// Takes up what other gateways wrote. Says whether a certificate is another one now.
    pub(crate) fn refresh(&self) -> bool {
        let mut changed = false;
        for (host, holding) in self.holdings() {
            let place = self.cache.host(&host);
            if stamps(&place) != holding.seen {
                changed |= self.reread(&host, &place);
            }
        }
        changed
    }

    /// Orders the host's certificate if it still is due and no other gateway does. Says whether it is another one now.
    pub(crate) async fn attend(&self, host: &Host) -> bool {
        let place = self.cache.host(host);
        let lock = match place.lock() {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                tracing::debug!("another gateway orders the certificate for `{}`", host.as_str());
                return false;
            }
            Err(error) => {
                let message = format!("`{}` cannot be locked: {error}", place.path("lock").display());
                self.failed(host, &place, None, &Failure::new(Kind::Unready, message), None);
                return false;
            }
        };
        let changed = self.reread(host, &place);
        let Some(holding) = self.hosts().get(host).cloned() else { return changed };
        if holding.due(host, self.seams.clock.now_ms()) > self.seams.clock.now_ms() {
            return changed;
        }
        let client = match client::trust(&self.roots) {
            Ok(tls) => Client::new(tls, Arc::clone(&self.seams.clock)),
            Err(message) => {
                self.failed(host, &place, Some(&lock), &Failure::new(Kind::Unreachable, message), None);
                return changed;
            }
        };
        let retry_after = client.retry_after();
        let result = match self.room(host, &holding) {
            Ok(()) => self.order(host, &place, &lock, client).await,
            Err(full) => Err(full),
        };
        match result {
            Ok((issued, pair)) => {
                self.issued(host, &place, &lock, &issued, pair);
                true
            }
            Err(failure) => {
                self.failed(host, &place, Some(&lock), &failure, retry_after.get());
                changed
            }
        }
    }

    /// Hosts whose orders are due, those with the least time left first.
    pub(crate) fn due(&self, covered: &HashSet<Host>) -> Vec<Host> {
        let now_ms = self.seams.clock.now_ms();
        let hosts = self.hosts();
        let mut due: Vec<(u64, &Host)> = hosts
            .iter()
            .filter(|(host, holding)| !covered.contains(*host) && holding.due(host, now_ms) <= now_ms)
            .map(|(host, holding)| (holding.pair.as_ref().map_or(0, |pair| pair.not_after_ms), host))
            .collect();
        due.sort();
        due.into_iter().map(|(_, host)| host.clone()).collect()
    }

    async fn order(&self, host: &Host, place: &Place, lock: &Lock, client: Client) -> Result<(Issued, Pair), Failure> {
        let checked = tokio::time::timeout(PRECHECK_TIMEOUT, self.seams.precheck.check(host.as_str())).await;
        let checked = checked.unwrap_or_else(|_| Err(format!("DNS was not checked within {PRECHECK_TIMEOUT:?}")));
        checked.map_err(|message| Failure::new(Kind::Unready, format!("not ordered: {message}")))?;
        let desk = self.cache.account();
        let now_ms = self.seams.clock.now_ms();
        let job = Job {
            acme: &self.acme,
            host: host.as_str(),
            client,
            desk: &desk,
            registering: &self.registering,
            place,
            lock,
            now_ms,
        };
        let late = || Failure::new(Kind::Refused, format!("the order took longer than {ORDER_TIMEOUT:?}"));
        let obtained = tokio::time::timeout(ORDER_TIMEOUT, Box::pin(order::obtain(&job))).await;
        let issued = obtained.map_err(|_| late())??;
        let pair = self.check(host, place, &issued)?;
        Ok((issued, pair))
    }

    /// Whether a new certificate would keep within what a registered domain may have in a week. Renewals are exempt.
    fn room(&self, host: &Host, holding: &Holding) -> Result<(), Failure> {
        if holding.pair.is_some() {
            return Ok(());
        }
        let now_ms = self.seams.clock.now_ms();
        let domain = psl::domain_str(host.as_str());
        let hosts = self.hosts();
        let siblings = hosts.iter().filter(|(other, _)| psl::domain_str(other.as_str()) == domain);
        let issued = siblings.flat_map(|(_, holding)| holding.record.issued_ms.iter().copied()).collect();
        match policy::domain_full_until(issued, now_ms) {
            None => Ok(()),
            Some(until_ms) => Err(Failure::new(
                Kind::Unready,
                format!(
                    "not ordered: `{}` has had {} certificates within a week; there is room again at {}",
                    domain.unwrap_or_default(),
                    policy::DOMAIN_A_WEEK_MAX,
                    crate::clock::readable(until_ms)
                ),
            )),
        }
    }

    /// What an authority gives is as much to be checked as a file.
    fn check(&self, host: &Host, place: &Place, issued: &Issued) -> Result<Pair, Failure> {
        let unusable =
            |detail: &str| Failure::new(Kind::Refused, format!("the authority's certificate cannot be used: {detail}"));
        let pair = parse(
            &place.path(Place::CERTIFICATE),
            issued.chain_pem.as_bytes(),
            issued.key_pem.as_bytes(),
            &self.provider,
        )
        .map_err(|mistake| unusable(&mistake.to_string()))?;
        if !pair.covers(host) {
            return Err(unusable("it is not for this host"));
        }
        if pair.not_after_ms <= self.seams.clock.now_ms() {
            return Err(unusable("it has expired already: is this machine's clock right?"));
        }
        Ok(pair)
    }

    fn issued(&self, host: &Host, place: &Place, lock: &Lock, issued: &Issued, pair: Pair) {
        let now_ms = self.seams.clock.now_ms();
        let text = format!("{}\n{}", issued.key_pem.trim_end(), issued.chain_pem);
        if let Err(error) = place.write(lock, Place::CERTIFICATE, text.as_bytes()) {
            let path = place.path(Place::CERTIFICATE);
            tracing::error!(
                "the certificate for `{}` is lost at the next start: write `{}`: {error}",
                host.as_str(),
                path.display()
            );
        }
        let until = crate::clock::readable(pair.not_after_ms);
        tracing::info!("`{}` has a certificate until {until}", host.as_str());
        let mut hosts = self.hosts();
        let Some(holding) = hosts.get_mut(host) else { return };
        let again_ms = policy::after_issue(&holding.record, &pair, now_ms);
        holding.record.issued(now_ms, again_ms);
        holding.pair = Some(Arc::new(pair));
        keep(host, place, lock, &holding.record);
        holding.seen = stamps(place);
    }

    fn failed(&self, host: &Host, place: &Place, lock: Option<&Lock>, failure: &Failure, retry_after_ms: Option<u64>) {
        let now_ms = self.seams.clock.now_ms();
        let mut hosts = self.hosts();
        let Some(holding) = hosts.get_mut(host) else { return };
        let failed = Failed {
            host: host.as_str(),
            kind: failure.kind,
            retry_after_ms,
            not_after_ms: holding.pair.as_ref().map(|pair| pair.not_after_ms),
            failures: holding.record.failures_of(failure.kind),
        };
        let again_ms = policy::after_failure(&failed, now_ms);
        tracing::warn!(
            "no certificate for `{}`: {}; again at {}",
            host.as_str(),
            failure.message,
            crate::clock::readable(again_ms)
        );
        let trouble = Trouble { at_ms: now_ms, message: failure.message.clone() };
        holding.record.failed(failure.kind, trouble, again_ms);
        if let Some(lock) = lock {
            keep(host, place, lock, &holding.record);
            holding.seen = stamps(place);
        }
    }

    fn reread(&self, host: &Host, place: &Place) -> bool {
        let new = read(place, &self.provider);
        let mut hosts = self.hosts();
        let Some(holding) = hosts.get_mut(host) else { return false };
        let changed = match (&new.pair, &holding.pair) {
            // What was good is not given up because its file is gone, or could not be written.
            (None, _) => false,
            (Some(new), Some(old)) => new.not_after_ms > old.not_after_ms,
            (Some(_), None) => true,
        };
        if changed {
            holding.pair = new.pair;
        }
        // Where nothing can be written, the disk would have us order again and again.
        if new.record.not_before_ms >= holding.record.not_before_ms {
            holding.record = new.record;
        }
        holding.seen = new.seen;
        changed
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<Host, Holding>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(host: &Host, place: &Place, lock: &Lock, record: &Record) {
    let written = serde_json::to_vec(record).map_err(std::io::Error::from);
    if let Err(error) = written.and_then(|bytes| place.write(lock, Place::RECORD, &bytes)) {
        let path = place.path(Place::RECORD);
        tracing::error!(
            "what is known of `{}` is lost at the next start: write `{}`: {error}",
            host.as_str(),
            path.display()
        );
    }
}

fn read(place: &Place, provider: &CryptoProvider) -> Holding {
    let seen = stamps(place);
    let path = place.path(Place::CERTIFICATE);
    let pair = match place.read(Place::CERTIFICATE) {
        Ok(None) => None,
        Ok(Some(text)) => match parse(&path, &text, &text, provider) {
            Ok(pair) => Some(Arc::new(pair)),
            Err(mistake) => {
                tracing::warn!("a kept certificate is not used, and ordered again: {}", in_one_line(&mistake));
                None
            }
        },
        Err(error) => {
            tracing::warn!("a kept certificate is not used, and ordered again: read `{}`: {error}", path.display());
            None
        }
    };
    let record = place.read(Place::RECORD).ok().flatten().and_then(|bytes| Record::parse(&bytes)).unwrap_or_default();
    Holding { pair, record, seen }
}

fn stamps(place: &Place) -> [Stamp; 2] {
    [place.stamp(Place::CERTIFICATE), place.stamp(Place::RECORD)]
}

fn parse(path: &Path, cert_pem: &[u8], key_pem: &[u8], provider: &CryptoProvider) -> Result<Pair, Mistake> {
    Pair::parse(&Source { cert: path, key: path, cert_pem, key_pem }, provider)
}

fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let text = files::read(file)?;
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match roots {
        Ok(roots) if roots.is_empty() => Err(Mistake::NoCertificate { file: file.into() }),
        Ok(roots) => Ok(roots),
        Err(error) => Err(Mistake::Malformed { file: file.into(), number: 1, detail: error.to_string() }),
    }
}
