//! Makes the checks, side by side and within one deadline.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::future::{join, join5};
use tokio::time::{Instant, timeout_at};

use crate::certificate::Certificate;
use crate::checks::{gateway, lives, names, page, tag, transport};
use crate::dns::{Answer, Problem, Resolver};
use crate::domain;
use crate::fetch::Network;
use crate::finding::{Finding, Severity, unchecked};
use crate::predict::{self, Cloak, Facts, Pair, Place};
use crate::report::{self, Report};
use crate::site::{Mode, Options, Site};

/// Looks at a site. Ends by the options' deadline, whatever answers or does not.
pub async fn examine(site: &Site, options: &Options) -> Report {
    let started = Instant::now();
    let deadline = started + options.deadline;
    let (page, tracking) = look_up(site, options, deadline).await;
    let mut found = names::resolution(&page);
    if site.mode() == Mode::Host {
        found.extend(names::resolution(&tracking));
    }
    found.extend(names::expected(site, &tracking));
    found.push(names::relation(site));

    let facts = Facts { page: page.place.clone(), tracking: tracking.place.clone() };
    found.extend(lives::findings(site, &facts));

    let addresses = [&page, &tracking].map(|answer| (answer.place.host.clone(), answer.place.addresses.clone()));
    let network = Network::new(options, BTreeMap::from(addresses));
    let (certificate, more) = visit(site, options, &network, deadline).await;
    found.extend(more);

    let verdict = found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    let pairs = compared(&facts);
    Report {
        version: report::VERSION,
        verdict,
        page: site.page.to_string(),
        tracking: site.tracking.to_string(),
        mode: site.mode(),
        resolver: options.resolver,
        findings: report::sorted(found),
        lives: lives::all(site, &facts),
        dns: if site.mode() == Mode::Path { vec![page] } else { vec![page, tracking] },
        pairs,
        certificate,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// Both hosts in DNS; in path mode the one.
async fn look_up(site: &Site, options: &Options, deadline: Instant) -> (Answer, Answer) {
    let resolver = Resolver::new(options);
    let ask = |host: String| {
        let resolver = &resolver;
        async move {
            let late = Answer {
                place: Place { host: domain::plain(&host), ..Place::default() },
                problem: Some(Problem::Timeout { name: host.clone() }),
                partial: None,
            };
            timeout_at(deadline, resolver.look_up(&host)).await.unwrap_or(late)
        }
    };
    if site.mode() == Mode::Path {
        let page = ask(site.page_host().to_owned()).await;
        return (page.clone(), page);
    }
    join(ask(site.page_host().to_owned()), ask(site.tracking_host().to_owned())).await
}

/// Everything that needs a connection.
async fn visit(
    site: &Site,
    options: &Options,
    network: &Network,
    deadline: Instant,
) -> (Option<Certificate>, Vec<Finding>) {
    let tls = by(deadline, "the certificate", Box::pin(transport::tls(network, &site.tracking, &options.roots)));
    let plain = by(deadline, "plain HTTP", Box::pin(transport::plain_http(network, &site.tracking)));
    let cors = by(deadline, "CORS", Box::pin(gateway::cors(network, site)));
    let health = by(deadline, "the gateway's health", Box::pin(gateway::health(network, site)));
    let documents = by(deadline, "the snippet and the page", Box::pin(documents(network, site)));
    let (tls, plain, cors, health, documents) = join5(tls, plain, cors, health, documents).await;
    let (certificate, mut found) = tls.unwrap_or_else(|late| (None, vec![late]));
    for more in [documents, cors, health, plain] {
        found.extend(more.unwrap_or_else(|late| vec![late]));
    }
    (certificate, found)
}

/// The snippet and the page, which are judged together.
async fn documents(network: &Network, site: &Site) -> Vec<Finding> {
    let (snippet, (page, fetching)) = join(gateway::snippet(network, site), page::fetch(network, site)).await;
    let mut found = transport::headers(&site.tracking, &snippet);
    found.extend(gateway::served(site, &snippet));
    found.extend(fetching);
    match page {
        Some(page) => found.extend(tag::judge(site, &page, snippet.as_ref().ok())),
        None => found.push(unchecked("the tag and Content-Security-Policy", "the page could not be read")),
    }
    found
}

async fn by<T>(deadline: Instant, check: &str, work: impl Future<Output = T>) -> Result<T, Finding> {
    timeout_at(deadline, Box::pin(work))
        .await
        .map_err(|_| unchecked(check, "the time for the whole examination ran out"))
}

/// The pairs of addresses that decide, where addresses do.
fn compared(facts: &Facts) -> Vec<Pair> {
    if !domain::same_site(&facts.page.host, &facts.tracking.host) {
        return Vec::new();
    }
    match predict::cloak(facts) {
        Cloak::Addresses(pairs) => pairs,
        Cloak::None | Cloak::Cname { .. } | Cloak::Unknown => Vec::new(),
    }
}
