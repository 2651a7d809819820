//! How long a cookie lives in a browser, and why. Pure: asks nobody.
//!
//! Safari's rules are those of WebKit's `NetworkTaskCocoa.mm`: the last name of the CNAME chain decides, by its
//! registrable domain; only without a CNAME does the address. Top-level navigations and the page's own host are exempt.

use std::net::IpAddr;

use serde::Serialize;

use crate::browser::{Browser, Limit, ThirdParty};
use crate::domain::{self, Reach};
use crate::site::{Cookie, SetBy};

/// The leading bits that two addresses must share to count as neighbours in Safari.
const SHARED_BITS_V4: u32 = 16;
const SHARED_BITS_V6: u32 = 64;

/// What DNS says of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The host.
    pub host: String,
    /// The CNAMEs from the host on, in their order.
    pub chain: Vec<String>,
    /// The addresses at the end of it.
    pub addresses: Vec<IpAddr>,
}

/// What a prediction is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// The page's host.
    pub page: Place,
    /// The gateway's. In path mode the page's.
    pub tracking: Place,
}

/// How long a cookie lives in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Life {
    /// With the addresses that are least favourable, and on the least favourable visit.
    pub worst: Term,
    /// With the most favourable ones.
    pub best: Term,
    /// When it is set on a top-level redirect through the gateway (`/r`). `None` where that sets none for the page.
    pub redirect: Option<Term>,
}

/// A length of time, and what decides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Seconds; 0 when the cookie is not kept at all.
    pub seconds: u64,
    /// What decides.
    pub why: Why,
}

/// What decides how long a cookie lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Why {
    /// The cookie itself.
    Asked,
    /// The browser keeps none longer.
    Limit {
        /// The browser's rule.
        limit: Limit,
    },
    /// A script sets it.
    Script {
        /// The browser's rule.
        limit: Limit,
    },
    /// A script sets it on a page that a tracker's decorated link led to.
    DecoratedLink {
        /// The browser's rule.
        limit: Limit,
    },
    /// The tracking host is a CNAME into another domain.
    Cname {
        /// The name at the end of the chain.
        target: String,
        /// The browser's rule.
        limit: Limit,
    },
    /// The tracking host's address is not near the page's.
    Address {
        /// The page's address.
        page: IpAddr,
        /// The tracking host's.
        tracking: IpAddr,
        /// The leading bits that they share.
        shared_bits: u32,
        /// The browser's rule.
        limit: Limit,
    },
    /// The addresses are not known, so it may be capped.
    Unknown {
        /// The browser's rule.
        limit: Limit,
    },
    /// The tracking host is of another site.
    ThirdParty {
        /// What the browser does with such cookies.
        treatment: ThirdParty,
    },
    /// The host is a public suffix: no cookie can be set for it.
    PublicSuffix,
}

/// An address of the page beside one of the tracking host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The page's.
    pub page: IpAddr,
    /// The tracking host's.
    pub tracking: IpAddr,
    /// The leading bits that they share; 0 for different families.
    pub shared_bits: u32,
    /// Whether Safari takes them for neighbours.
    pub near: bool,
}

/// What Safari makes of the tracking host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cloak {
    /// Nothing: it is the page's own host, or a CNAME within the site.
    None,
    Cname {
        target: String,
    },
    /// Decided for each pair of addresses, of which there is at least one.
    Addresses(Vec<Pair>),
    Unknown,
}

/// How long a cookie lives in a browser.
pub fn predict(facts: &Facts, cookie: &Cookie, browser: &Browser) -> Life {
    if domain::reach(&facts.page.host) == Reach::Suffix {
        return Life::always(Term { seconds: 0, why: Why::PublicSuffix });
    }
    match cookie.set_by {
        SetBy::Script => by_script(cookie, browser),
        SetBy::Server => by_server(facts, cookie, browser),
    }
}

/// The pairs of addresses that a browser may use. One of two families only meets the other family where a host
/// lacks its own: a browser on IPv6 loads both over IPv6 if it can.
pub fn pairs(facts: &Facts) -> Vec<Pair> {
    let (page, tracking) = (&facts.page.addresses, &facts.tracking.addresses);
    let families =
        |addresses: &[IpAddr]| (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6));
    let alike = families(page) == families(tracking);
    let all = page.iter().flat_map(|page| tracking.iter().map(|tracking| pair(*page, *tracking)));
    all.filter(|pair| !alike || pair.page.is_ipv4() == pair.tracking.is_ipv4()).collect()
}

impl Life {
    fn always(term: Term) -> Life {
        Life { worst: term.clone(), best: term, redirect: None }
    }
}

fn by_script(cookie: &Cookie, browser: &Browser) -> Life {
    let asked = Term { seconds: cookie.max_age_s, why: Why::Asked };
    let best = match browser.script {
        Some(limit) => capped(&asked, limit, Why::Script { limit }),
        None => general(asked, browser),
    };
    let worst = match browser.script_decorated {
        Some(limit) => capped(&best, limit, Why::DecoratedLink { limit }),
        None => best.clone(),
    };
    Life { worst, best, redirect: None }
}

fn by_server(facts: &Facts, cookie: &Cookie, browser: &Browser) -> Life {
    if !domain::same_site(&facts.page.host, &facts.tracking.host) {
        let treatment = browser.third_party;
        return Life::always(Term { seconds: 0, why: Why::ThirdParty { treatment } });
    }
    let full = general(Term { seconds: cookie.max_age_s, why: Why::Asked }, browser);
    let (worst, best) = match browser.cloaked {
        Some(limit) => cloaked(&full, limit, cloak(facts)),
        None => (full.clone(), full.clone()),
    };
    Life { worst, best, redirect: Some(full) }
}

/// A browser's own limit on any cookie.
fn general(term: Term, browser: &Browser) -> Term {
    match browser.any {
        Some(limit) => capped(&term, limit, Why::Limit { limit }),
        None => term,
    }
}

fn capped(term: &Term, limit: Limit, why: Why) -> Term {
    if term.seconds > limit.seconds { Term { seconds: limit.seconds, why } } else { term.clone() }
}

/// The worst and the best case under the rule on cloaking.
fn cloaked(full: &Term, limit: Limit, cloak: Cloak) -> (Term, Term) {
    match cloak {
        Cloak::None => (full.clone(), full.clone()),
        Cloak::Cname { target } => {
            let term = capped(full, limit, Why::Cname { target, limit });
            (term.clone(), term)
        }
        Cloak::Unknown => (capped(full, limit, Why::Unknown { limit }), full.clone()),
        Cloak::Addresses(pairs) => {
            let far = pairs.iter().filter(|pair| !pair.near).min_by_key(|pair| pair.shared_bits);
            let far = far.map(|&Pair { page, tracking, shared_bits, .. }| {
                capped(full, limit, Why::Address { page, tracking, shared_bits, limit })
            });
            let near = pairs.iter().any(|pair| pair.near).then(|| full.clone());
            let worst = far.or(near.clone()).unwrap_or_else(|| full.clone());
            (worst.clone(), near.unwrap_or(worst))
        }
    }
}

/// What Safari makes of the tracking host of the same site.
pub(crate) fn cloak(facts: &Facts) -> Cloak {
    let Facts { page, tracking } = facts;
    if domain::plain(&page.host) == domain::plain(&tracking.host) {
        return Cloak::None;
    }
    if let Some(target) = tracking.chain.last() {
        let theirs = domain::registrable(target);
        let pages_own = page.chain.last().map(|name| domain::registrable(name));
        if theirs == domain::registrable(&page.host) || pages_own.as_ref() == Some(&theirs) {
            return Cloak::None;
        }
        // A page whose own look-up failed may share the CNAME's domain, and so be exempt.
        let page_known = !page.chain.is_empty() || !page.addresses.is_empty();
        return if page_known { Cloak::Cname { target: target.clone() } } else { Cloak::Unknown };
    }
    match pairs(facts) {
        pairs if pairs.is_empty() => Cloak::Unknown,
        pairs => Cloak::Addresses(pairs),
    }
}

fn pair(page: IpAddr, tracking: IpAddr) -> Pair {
    let (shared_bits, needed) = match (page, tracking) {
        (IpAddr::V4(a), IpAddr::V4(b)) => ((a.to_bits() ^ b.to_bits()).leading_zeros(), SHARED_BITS_V4),
        (IpAddr::V6(a), IpAddr::V6(b)) => ((a.to_bits() ^ b.to_bits()).leading_zeros(), SHARED_BITS_V6),
        _ => (0, SHARED_BITS_V4),
    };
    Pair { page, tracking, shared_bits, near: shared_bits >= needed }
}

#[cfg(test)]
#[path = "predict_tests.rs"]
mod tests;
