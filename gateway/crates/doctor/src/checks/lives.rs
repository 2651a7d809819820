//! What becomes of the cookies, in findings.

use std::net::IpAddr;

use crate::browser::{BROWSERS, DAY_S};
use crate::finding::{Code, Finding};
use crate::predict::{self, Cloak, Facts, Pair, predict};
use crate::report::CookieLife;
use crate::site::{Cookie, Mode, SetBy, Site};

use super::names;

/// How long anything lives in Chromium and Firefox at most.
const ASKED_S_MAX: u64 = 400 * DAY_S;
/// What Safari leaves of a capped cookie.
const CAPPED_S: u64 = 7 * DAY_S;

/// Every cookie in every browser.
pub(crate) fn all(site: &Site, facts: &Facts) -> Vec<CookieLife> {
    let of = |cookie: &Cookie| {
        let cookie = cookie.clone();
        BROWSERS.iter().map(move |browser| {
            let life = predict(facts, &cookie, browser);
            CookieLife { cookie: cookie.clone(), browser: browser.name, life }
        })
    };
    site.cookies.iter().flat_map(of).collect()
}

/// What there is to say of the cookies' lives.
pub(crate) fn findings(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    if crate::domain::same_site(site.page_host(), site.tracking_host()) {
        found.push(safari(site, facts));
    }
    let names = |of: &dyn Fn(&Cookie) -> bool| {
        let names: Vec<&str> =
            site.cookies.iter().filter(|cookie| of(cookie)).map(|cookie| cookie.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(scripts) = names(&|cookie| cookie.set_by == SetBy::Script && cookie.max_age_s > DAY_S) {
        found.push(Finding::new(Code::ScriptCookies, scripts, "are set by a script"));
    }
    if let Some(long) = names(&|cookie| cookie.max_age_s > ASKED_S_MAX) {
        found.push(Finding::new(Code::CookieClamped, long, "ask for more than 400 days"));
    }
    found
}

fn safari(site: &Site, facts: &Facts) -> Finding {
    let host = &facts.tracking.host;
    let asks_long = |cookie: &Cookie| cookie.set_by == SetBy::Server && cookie.max_age_s > CAPPED_S;
    if !site.cookies.is_empty() && !site.cookies.iter().any(asks_long) {
        return Finding::new(Code::SafariKeeps, host, "no cookie of the gateway asks for more than 7 days");
    }
    match predict::cloak(facts) {
        Cloak::None if site.mode() == Mode::Path => {
            Finding::new(Code::SafariKeeps, host, "is the page's own host (path mode)")
        }
        Cloak::None => Finding::new(Code::SafariKeeps, host, "is a CNAME within the site, or the page's own"),
        Cloak::Unknown => Finding::new(Code::SafariUnknown, host, "the addresses to compare are not known"),
        Cloak::Cname { target } => {
            let what = format!(
                "is a CNAME to `{target}`, of `{}`: Safari keeps the gateway's cookies 7 days",
                crate::domain::registrable(&target)
            );
            Finding::new(Code::SafariCapsCname, host, what).change(instead_of_cname(facts))
        }
        Cloak::Addresses(pairs) => addresses(facts, &pairs),
    }
}

fn addresses(facts: &Facts, pairs: &[Pair]) -> Finding {
    let host = &facts.tracking.host;
    let shown =
        |pair: &Pair| format!("{} beside the page's {} ({} bits shared)", pair.tracking, pair.page, pair.shared_bits);
    let far: Vec<&Pair> = pairs.iter().filter(|pair| !pair.near).collect();
    let Some(first) = far.first() else {
        let near = pairs.first().map(shown).unwrap_or_default();
        return Finding::new(Code::SafariKeeps, host, format!("has no CNAME, and {near}"));
    };
    if far.len() == pairs.len() {
        let what = format!("has no CNAME, and {}: Safari keeps the gateway's cookies 7 days", shown(first));
        return Finding::new(Code::SafariCapsAddress, host, what).change(nearer(facts));
    }
    let what = format!(
        "{} of {} pairs of addresses are too far apart, such as {}: Safari keeps the gateway's cookies between 7 days and all they ask",
        far.len(),
        pairs.len(),
        shown(first)
    );
    Finding::new(Code::SafariMayCap, host, what).change(nearer(facts))
}

/// Replacing the CNAME by the addresses helps only if those are near the page's.
fn instead_of_cname(facts: &Facts) -> String {
    let host = &facts.tracking.host;
    let without =
        Facts { tracking: predict::Place { chain: Vec::new(), ..facts.tracking.clone() }, page: facts.page.clone() };
    let pairs = predict::pairs(&without);
    if !pairs.is_empty() && pairs.iter().all(|pair| pair.near) {
        let records: Vec<String> =
            facts.tracking.addresses.iter().map(|address| names::record(host, *address)).collect();
        return format!("Replace the CNAME with:\n{}", records.join("\n"));
    }
    format!("Replacing the CNAME with its addresses is not enough, for they are not near the page's. {}", nearer(facts))
}

fn nearer(facts: &Facts) -> String {
    let mut networks: Vec<String> = facts.page.addresses.iter().map(|address| network(*address)).collect();
    networks.sort_unstable();
    networks.dedup();
    format!(
        "Give `{}` only addresses in {} (of each family that the page has), or use path mode (`https://{}/t/` behind the site's own proxy), or set cookies on top-level redirects (`/r`).",
        facts.tracking.host,
        networks.join(" and "),
        facts.page.host
    )
}

/// The network whose addresses Safari takes for neighbours.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            format!("{a}.{b}.0.0/16")
        }
        IpAddr::V6(v6) => format!("{}/64", std::net::Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_as_in_a_routing_table() {
        assert_eq!(network("192.0.2.1".parse().unwrap()), "192.0.0.0/16");
        assert_eq!(network("2001:db8:0:1:2::3".parse().unwrap()), "2001:db8:0:1::/64");
    }
}
