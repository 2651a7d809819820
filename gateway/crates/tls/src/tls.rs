//! The whole: which certificate answers which host now, and the work that keeps it so.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::acme::{Desk, Posted};
use crate::config;
use crate::error::{Error, Mistake, in_one_line};
use crate::files::{self, Check, Found, Watched};
use crate::host::Host;
use crate::options::{Options, Seams};
use crate::pair::Pair;
use crate::status::{Certificate, Source, Status};
use crate::table::{Resolver, Table};

/// Orders under way at once: one that waits for its authority does not keep the others.
const ORDERS_MAX: usize = 4;

/// Answers handshakes, and keeps the certificates for it.
pub struct Tls {
    provider: Arc<CryptoProvider>,
    seams: Seams,
    resolver: Arc<Resolver>,
    config: Arc<ServerConfig>,
    current: Mutex<Current>,
    /// Of the current options; handshakes do not wait for who reads files.
    handshake_timeout_ms: AtomicU64,
    /// The options changed: there may be something to order.
    changed: Notify,
    /// Orders are looked for by one at a time.
    ordering: tokio::sync::Mutex<()>,
}

/// What holds until the options change.
struct Current {
    options: Options,
    default_host: Option<Host>,
    files: Vec<Watched>,
    desk: Option<Arc<Desk>>,
}

/// What [`Tls::reload`] did.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// How many certificates are others now.
    pub renewed: usize,
    /// What cannot be used; the certificates before it stay.
    pub mistakes: Vec<Mistake>,
}

impl Tls {
    /// Reads the certificate files and the ACME cache. Never contacts the network.
    pub fn open(options: Options, seams: Seams) -> Result<Arc<Tls>, Error> {
        let provider = Arc::new(config::provider());
        let current = Current::open(options, &provider, &seams)?;
        let resolver = Arc::new(Resolver::default());
        resolver.replace(current.table());
        let answering: Arc<dyn ResolvesServerCert> = Arc::<Resolver>::clone(&resolver);
        let config = Arc::new(config::visitors(Arc::clone(&provider), answering)?);
        let ordering = tokio::sync::Mutex::new(());
        let handshake_timeout_ms = AtomicU64::new(current.options.handshake_timeout_ms);
        let (current, changed) = (Mutex::new(current), Notify::new());
        Ok(Arc::new(Tls { provider, seams, resolver, config, current, handshake_timeout_ms, changed, ordering }))
    }

    /// Takes other options, or, if one of them is wrong, none of them. Connections and sessions stay as they are.
    pub fn change(&self, options: Options) -> Result<(), Error> {
        let new = Current::open(options, &self.provider, &self.seams)?;
        let mut current = self.current();
        *current = new;
        self.resolver.replace(current.table());
        self.handshake_timeout_ms.store(current.options.handshake_timeout_ms, Ordering::Relaxed);
        drop(current);
        self.changed.notify_one();
        Ok(())
    }

    /// For visitors' connections. It stays the same for good: certificates change behind it.
    ///
    /// [`Tls::accept`] also answers the authority's validations, and tells clients of unknown hosts so.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// What the plain listener answers `/.well-known/acme-challenge/TOKEN` with, as `application/octet-stream`, whatever
    /// the challenge is that new orders use. `None` is a 404. Reads a small file, for hosts of `[tls.acme]` only.
    pub fn challenge(&self, host: &str, token: &str) -> Option<String> {
        let posted = self.posted(&Host::parse(host).ok()?)?;
        (posted.token == token).then_some(posted.key_authorization)
    }

    /// Reads all certificate files again, and what other gateways left in the cache.
    pub fn reload(&self) -> Reloaded {
        self.look(Check::Always)
    }

    /// Takes up files that changed. [`Tls::run`] does so by itself.
    pub fn check_files(&self) -> Reloaded {
        self.look(Check::IfChanged)
    }

    /// Orders all certificates that are due, and comes back when all have ended. [`Tls::run`] does so by itself.
    pub async fn renew(&self) {
        let _one = self.ordering.lock().await;
        let (desk, covered) = {
            let current = self.current();
            let Some(desk) = current.desk.clone() else { return };
            (desk, current.covered())
        };
        if desk.refresh() {
            self.publish();
        }
        futures_util::stream::iter(desk.due(&covered))
            .for_each_concurrent(ORDERS_MAX, |host| {
                let desk = &desk;
                async move {
                    if desk.attend(&host).await {
                        self.publish();
                    }
                }
            })
            .await;
    }

    /// Watches files and renews certificates until `stop`. An order under way is given up then, and made again later.
    pub async fn run(&self, stop: CancellationToken) {
        let files = async {
            loop {
                tokio::time::sleep(self.pause()).await;
                self.check_files();
            }
        };
        let orders = async {
            loop {
                self.renew().await;
                tokio::select! {
                    () = tokio::time::sleep(self.pause()) => {}
                    () = self.changed.notified() => {}
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = files => {}
            () = orders => {}
        }
    }

    /// Every host and every name in a file, in the order of their names.
    pub fn status(&self) -> Vec<Status> {
        let now_ms = self.seams.clock.now_ms();
        let current = self.current();
        let mut all: Vec<Status> = current.files.iter().flat_map(|watched| of_files(watched, now_ms)).collect();
        if let Some(desk) = &current.desk {
            let covered = current.covered();
            let hosts = desk.holdings().into_iter().filter(|(host, _)| !covered.contains(host));
            all.extend(hosts.map(|(host, holding)| Status {
                source: Source::Acme { directory: desk.acme.directory.clone() },
                certificate: holding.pair.as_deref().map(certificate),
                next_attempt_ms: Some(holding.due(&host, now_ms).max(now_ms)),
                warnings: ending(holding.pair.as_deref(), now_ms),
                last_error: holding.record.trouble,
                host: host.as_str().to_owned(),
            }));
        }
        all.sort_by(|one, other| one.host.cmp(&other.host));
        all
    }

    pub(crate) fn handshake_timeout_ms(&self) -> u64 {
        self.handshake_timeout_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.resolver.table()
    }

    pub(crate) fn posted(&self, host: &Host) -> Option<Posted> {
        let desk = self.current().desk.clone()?;
        desk.posted(host)
    }

    fn look(&self, check: Check) -> Reloaded {
        let now_ms = self.seams.clock.now_ms();
        let mut reloaded = Reloaded::default();
        let mut current = self.current();
        for watched in &mut current.files {
            match watched.check(check, &self.provider, now_ms) {
                Found::Same => {}
                Found::Renewed => {
                    tracing::info!("the certificate in `{}` was taken up", watched.files.cert.display());
                    reloaded.renewed += 1;
                }
                Found::Bad(mistake) => {
                    tracing::error!("the certificate before it stays: {}", in_one_line(&mistake));
                    reloaded.mistakes.push(mistake);
                }
            }
        }
        if current.desk.as_ref().is_some_and(|desk| desk.refresh()) {
            reloaded.renewed += 1;
        }
        if reloaded.renewed > 0 {
            self.resolver.replace(current.table());
        }
        reloaded
    }

    fn publish(&self) {
        let current = self.current();
        self.resolver.replace(current.table());
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(self.current().options.check_every_s.max(1))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn open(options: Options, provider: &Arc<CryptoProvider>, seams: &Seams) -> Result<Current, Error> {
        let mut mistakes = Vec::new();
        options.check(&mut mistakes);
        let now_ms = seams.clock.now_ms();
        let mut files = Vec::new();
        for pair in &options.files {
            match Watched::open(pair, provider, now_ms) {
                Ok(watched) => files.push(watched),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let default_host = options.default_host.as_deref().and_then(|host| Host::parse(host).ok());
        let hosts = options.acme.iter().flat_map(|acme| &acme.hosts).filter_map(|host| Host::parse(host).ok());
        let hosts: BTreeSet<Host> = hosts.collect();
        if let Some(host) = &default_host
            && mistakes.is_empty()
            && !hosts.contains(host)
            && !files.iter().any(|watched| watched.pair.covers(host))
        {
            mistakes.push(Mistake::DefaultUnknown { host: host.as_str().to_owned() });
        }
        let mut desk = None;
        // A cache is not created for options that are refused.
        if mistakes.is_empty()
            && let Some(acme) = &options.acme
        {
            match Desk::open(acme, hosts.into_iter(), Arc::clone(provider), seams.clone()) {
                Ok(opened) => desk = Some(Arc::new(opened)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(Current { options, default_host, files, desk }) } else { Err(mistakes.into()) }
    }

    /// Files before what was ordered, each in the order of the configuration.
    fn table(&self) -> Table {
        let mut table = Table::new(self.default_host.clone());
        for watched in &self.files {
            table.add(&watched.pair);
        }
        if let Some(desk) = &self.desk {
            let covered = self.covered();
            for (host, holding) in desk.holdings() {
                if let Some(pair) = holding.pair.filter(|_| !covered.contains(&host)) {
                    table.add_host(&host, &pair);
                }
            }
        }
        table
    }

    /// Hosts of ACME that need no certificate, for a file has one.
    fn covered(&self) -> HashSet<Host> {
        let hosts = self.desk.iter().flat_map(|desk| desk.holdings()).map(|(host, _)| host);
        hosts.filter(|host| self.files.iter().any(|watched| watched.pair.covers(host))).collect()
    }
}

fn of_files(watched: &Watched, now_ms: u64) -> impl Iterator<Item = Status> {
    let warnings = files::warnings(&watched.files, &watched.pair, now_ms);
    watched.pair.names.iter().map(move |name| Status {
        host: name.clone(),
        source: Source::Files { cert: watched.files.cert.clone(), key: watched.files.key.clone() },
        certificate: Some(certificate(&watched.pair)),
        last_error: watched.trouble.clone(),
        next_attempt_ms: None,
        warnings: warnings.clone(),
    })
}

fn certificate(pair: &Pair) -> Certificate {
    Certificate { not_before_ms: pair.not_before_ms, not_after_ms: pair.not_after_ms, issuer: pair.issuer.clone() }
}

/// A certificate that is renewed by itself and still ends soon tells that renewals fail.
fn ending(pair: Option<&Pair>, now_ms: u64) -> Vec<String> {
    let Some(pair) = pair else {
        return vec!["there is no certificate yet: visitors are refused until there is".into()];
    };
    let left_ms = pair.not_after_ms.saturating_sub(now_ms);
    let ends = crate::clock::readable(pair.not_after_ms);
    if left_ms == 0 {
        vec![format!("the certificate expired at {ends}: renewals fail")]
    } else if left_ms < pair.life_ms() / 6 {
        vec![format!("the certificate expires at {ends}, and renewals fail")]
    } else {
        Vec::new()
    }
}
