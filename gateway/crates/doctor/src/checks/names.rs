//! What DNS says, and whether the two hosts are of one site.

use std::net::IpAddr;

use crate::dns::{Answer, Problem};
use crate::domain::{self, Reach};
use crate::finding::{Code, Finding, unchecked};
use crate::site::Site;

/// What there is to say of a host in DNS.
pub(crate) fn resolution(answer: &Answer) -> Vec<Finding> {
    let host = &answer.place.host;
    if let Some(problem) = &answer.problem {
        return vec![failed(host, problem, &answer.place.chain)];
    }
    let via = match answer.place.chain.as_slice() {
        [] => String::new(),
        chain => format!(" by way of {}", chain.join(" → ")),
    };
    let mut found =
        vec![Finding::new(Code::DnsResolves, host, format!("leads to {}{via}", listed(&answer.place.addresses)))];
    if let Some(problem) = &answer.partial {
        found.push(Finding::new(Code::DnsPartial, host, sentence(problem)));
    }
    let private: Vec<IpAddr> = answer.place.addresses.iter().copied().filter(|address| is_private(*address)).collect();
    if !private.is_empty() && domain::reach(host) != Reach::Host {
        found.push(Finding::new(Code::DnsPrivateAddress, host, format!("leads to {}", listed(&private))));
    }
    found
}

/// Compares the tracking host's addresses with those that it should have.
pub(crate) fn expected(site: &Site, tracking: &Answer) -> Vec<Finding> {
    let host = &tracking.place.host;
    if site.addresses.is_empty() || tracking.place.addresses.is_empty() {
        return Vec::new();
    }
    let strange: Vec<IpAddr> =
        tracking.place.addresses.iter().copied().filter(|address| !site.addresses.contains(address)).collect();
    if strange.is_empty() {
        return Vec::new();
    }
    let what = format!("leads to {}, not to {} alone", listed(&strange), listed(&site.addresses));
    let finding = Finding::new(Code::DnsUnexpectedAddress, host, what);
    vec![finding.change(site.addresses.iter().map(|address| record(host, *address)).collect::<Vec<_>>().join("\n"))]
}

/// Whether cookies go between the two hosts.
pub(crate) fn relation(site: &Site) -> Finding {
    let (page, tracking) = (site.page_host(), site.tracking_host());
    let Reach::Domain(domain) = domain::reach(page) else {
        let is_suffix = domain::reach(page) == Reach::Suffix;
        return match (is_suffix, domain::same_site(page, tracking)) {
            (true, _) => Finding::new(Code::PublicSuffix, page, format!("`{page}` is a public suffix")),
            (false, true) => Finding::new(Code::HostOnly, page, format!("`{page}` has no registrable domain")),
            (false, false) => third_party(page, tracking, page),
        };
    };
    if domain::same_site(page, tracking) {
        return Finding::new(Code::SameSite, tracking, format!("is of the page's registrable domain, `{domain}`"));
    }
    third_party(page, tracking, &domain)
}

/// A line of a zone file.
pub(crate) fn record(host: &str, address: IpAddr) -> String {
    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
    format!("{host}. 300 IN {kind} {address}")
}

pub(crate) fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

fn third_party(page: &str, tracking: &str, domain: &str) -> Finding {
    let what = format!("`{tracking}` is of `{}`, the page `{page}` of `{domain}`", domain::registrable(tracking));
    let label = tracking.split('.').next().filter(|label| domain::address(tracking).is_none() && !label.is_empty());
    let own = format!("{}.{domain}", label.unwrap_or("track"));
    Finding::new(Code::ThirdParty, tracking, what).change(format!(
        "Add an A or AAAA record for `{own}` that leads to the gateway, and use that host; or use path mode."
    ))
}

fn failed(host: &str, problem: &Problem, chain: &[String]) -> Finding {
    let what = sentence(problem);
    match problem {
        Problem::NoSuchName { name } if !chain.is_empty() => {
            let last_alias = chain.iter().rev().nth(1).map_or(host, String::as_str);
            Finding::new(Code::DnsDanglingCname, host, what).change(format!(
                "Remove `{last_alias}. IN CNAME {name}.`, or point it to a name of your own that exists."
            ))
        }
        Problem::NoSuchName { name } => Finding::new(Code::DnsNoSuchName, host, what)
            .change(format!("Add `{name}. 300 IN A <its server's address>` to the zone.")),
        Problem::NoAddress { .. } => Finding::new(Code::DnsNoAddress, host, what),
        Problem::ServerFailure { .. } => Finding::new(Code::DnsServerFailure, host, what),
        Problem::Timeout { .. } => Finding::new(Code::DnsTimeout, host, what),
        Problem::Loop { .. } => Finding::new(Code::DnsLoop, host, format!("{what}: {}", chain.join(" → "))),
        Problem::Unasked { why } => unchecked(&format!("DNS of {host}"), why),
    }
}

fn sentence(problem: &Problem) -> String {
    match problem {
        Problem::NoSuchName { name } => format!("`{name}` does not exist (NXDOMAIN)"),
        Problem::NoAddress { name } => format!("`{name}` has neither an A nor an AAAA record"),
        Problem::ServerFailure { name, answer } => format!("asked for `{name}`, the name server answered: {answer}"),
        Problem::Timeout { name } => format!("asked for `{name}`, no name server answered in time"),
        Problem::Loop { name } => format!("the CNAMEs come back to `{name}`, or are too many"),
        Problem::Unasked { why } => format!("could not be asked for: {why}"),
    }
}

/// Addresses that the public Internet does not carry to anybody.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || {
                let [a, b, ..] = v4.octets();
                a == 100 && (64..128).contains(&b)
            }
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn code(page: &str, tracking: &str) -> Code {
        relation(&Site::new(page, tracking).unwrap()).code
    }

    #[test]
    fn a_host_is_of_the_site_or_of_another() {
        assert_eq!(code("https://www.shop.example/", "track.shop.example"), Code::SameSite);
        assert_eq!(code("https://www.shop.example/", "https://www.shop.example/t/"), Code::SameSite);
        assert_eq!(code("https://a.github.io/", "t.b.github.io"), Code::ThirdParty);
        assert_eq!(code("https://github.io/", "github.io"), Code::PublicSuffix);
        assert_eq!(code("http://localhost:8080/", "http://localhost:8081/"), Code::HostOnly);
        assert_eq!(code("http://127.0.0.1/", "http://127.0.0.2/"), Code::ThirdParty);
    }

    #[test]
    fn the_advice_names_a_host_of_the_own_domain() {
        let finding = relation(&Site::new("https://www.shop.example/", "collect.cloud.test").unwrap());
        assert!(finding.change.unwrap().contains("`collect.shop.example`"));
    }

    #[test]
    fn each_failure_has_its_code() {
        let name = || "x.test".to_owned();
        let cases = [
            (Problem::NoSuchName { name: name() }, Code::DnsNoSuchName),
            (Problem::NoAddress { name: name() }, Code::DnsNoAddress),
            (Problem::ServerFailure { name: name(), answer: "SERVFAIL".into() }, Code::DnsServerFailure),
            (Problem::Timeout { name: name() }, Code::DnsTimeout),
            (Problem::Loop { name: name() }, Code::DnsLoop),
            (Problem::Unasked { why: "no resolv.conf".into() }, Code::Unchecked),
        ];
        for (problem, expected) in cases {
            assert_eq!(failed("x.test", &problem, &[]).code, expected);
        }
        let dangling = failed("t.shop.example", &Problem::NoSuchName { name: name() }, &[name()]);
        assert_eq!((dangling.code, dangling.severity), (Code::DnsDanglingCname, Severity::Error));
        assert!(dangling.change.unwrap().contains("`t.shop.example. IN CNAME x.test.`"));
    }
}
