//! Cross-domain linking: a visitor who follows a link from one of a site's domains to another stays the same visitor.
//!
//! The page before asks for a token and adds it to the link; the page after hands it in and gets its cookie from it. A token
//! is `l1.<key id>.<issued, Unix seconds>.<body, base64url>.<HMAC-SHA256, 16 bytes, base64url>`: of characters that no
//! address encodes, and signed under a tag of its own, so that a visitor's cookie is no token and a token no cookie.
//!
//! # What a copied link can do
//!
//! An address is no secret: it is shared, logged, and read by every script of both pages. So a token is worth little:
//!
//! - **For whom**: it opens nothing. Whoever follows a copied link within two minutes gets the visitor ID of the one who
//!   copied it, on the destination's domain: two people are counted as one there, and what the second does is credited to the
//!   first one's clicks. Nothing of the first one's profile is shown to anybody: the gateway answers no question about a
//!   visitor.
//! - **For how long**: [`LIFE_S`] after it was made; then it gives nothing, and the visitor is who the cookie says.
//! - **Where**: on the domains that it was made for, and no other. A link to somebody else's site gives them a token that
//!   no gateway takes for their domain.
//! - **What is in it**: the visitor's ID, and click IDs where consent covers them. They are readable, not encrypted: a token
//!   is made only where both pages may know them, the visitor's ID from the level `analytics`, click IDs from `marketing`.
//! - **Against whom it does not help**: a page that plants its own visitor's token in a link to a shop makes whoever clicks it
//!   within two minutes that visitor (*fixation*). That pollutes counts, as sending false events with the public key does.
//!   Who has a cookie on the destination already should keep it: a token is for browsers without one.
//! - **Afterwards**: the page should take the parameter out of its address (`history.replaceState`), so that what is copied
//!   from there carries none.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tidegate_event::{ClickId, VisitorId};

use crate::clicks::{is_kind, is_value};
use crate::domain::{Domain, host_name};
use crate::visitor::{Ring, Unsealed};

/// The query parameter that a token travels in.
pub const PARAMETER: &str = "_tgl";
/// How long a token is good for.
pub const LIFE_S: u64 = 120;
/// For more domains no token is made.
pub const DOMAINS_MAX: usize = 8;
/// Two gateways' clocks may differ by so much.
const SKEW_S: u64 = 30;
const TAG: &str = "l1";
const TOKEN_BYTES_MAX: usize = 2_048;
const CLICKS_MAX: usize = 4;

/// Who travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passenger {
    /// The visitor.
    pub visitor: VisitorId,
    /// Click IDs that go along; the first few.
    pub clicks: Vec<ClickId>,
}

/// Why a token gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no token, or too long for one.
    #[error("is no link's token")]
    Malformed,
    /// No key of the ring has its key's id.
    #[error("is signed by a key that is not known")]
    UnknownKey,
    /// Its signature is not its key's.
    #[error("is forged")]
    Forged,
    /// It was made longer ago than it lives.
    #[error("is older than {LIFE_S} s")]
    Late,
    /// It was made in the future.
    #[error("is from the future: the gateways' clocks differ")]
    Early,
    /// It was made for other domains.
    #[error("was made for another domain")]
    Elsewhere,
}

/// The registrable domains of hosts, each once: what a site's tokens are for. Addresses have none.
pub fn domains<'h>(hosts: impl IntoIterator<Item = &'h str>) -> Vec<Domain> {
    let mut domains = Vec::new();
    for domain in hosts.into_iter().filter_map(|host| Domain::registrable(host_name(host))) {
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    domains
}

/// The token that takes a passenger to the domains of `audience`. None where there is no key, no domain, or more than
/// [`DOMAINS_MAX`].
pub fn make(ring: &Ring, passenger: &Passenger, now_ms: u64, audience: &[Domain]) -> Option<String> {
    if audience.is_empty() || audience.len() > DOMAINS_MAX {
        return None;
    }
    let mut body = passenger.visitor.to_string();
    for domain in audience {
        let _ = write!(body, "\nd {}", registrable(domain));
    }
    let sound = passenger.clicks.iter().filter(|click| is_kind(&click.kind) && is_value(&click.value));
    for ClickId { kind, value, seen_ms } in sound.take(CLICKS_MAX) {
        // Whoever has clicked on everything loses the last clicks, not the visitor: base64 makes four bytes of three.
        if (body.len() + kind.len() + value.len() + 32) * 4 / 3 + 128 > TOKEN_BYTES_MAX {
            break;
        }
        let _ = write!(body, "\nc {kind} {seen_ms} {value}");
    }
    ring.seal(TAG, &format!("{}.{}", now_ms / 1000, BASE64_URL_SAFE_NO_PAD.encode(body)))
}

/// Who arrives with a token on a page of the domain `this`.
///
/// # Errors
/// When the token gives nothing; then the visitor is who its cookie says.
pub fn read(ring: &Ring, token: &str, now_ms: u64, this: &Domain) -> Result<Passenger, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::Malformed);
    }
    let (issued, body) = ring.open(TAG, token)?.split_once('.').ok_or(Refused::Malformed)?;
    let (issued_s, now_s) = (issued.parse::<u64>().map_err(|_| Refused::Malformed)?, now_ms / 1000);
    if issued_s > now_s.saturating_add(SKEW_S) {
        return Err(Refused::Early);
    }
    if now_s.saturating_sub(issued_s) > LIFE_S {
        return Err(Refused::Late);
    }
    let body = BASE64_URL_SAFE_NO_PAD.decode(body).ok().and_then(|body| String::from_utf8(body).ok());
    let body = body.ok_or(Refused::Malformed)?;
    let mut lines = body.split('\n');
    let visitor = lines.next().and_then(|id| VisitorId::parse(id).ok()).ok_or(Refused::Malformed)?;
    let (here, mut is_here, mut clicks) = (registrable(this), false, Vec::new());
    for line in lines {
        match line.split_once(' ') {
            Some(("d", domain)) => is_here |= domain == here,
            Some(("c", click)) => clicks.extend(click_of(click)),
            _ => {}
        }
    }
    if is_here { Ok(Passenger { visitor, clicks }) } else { Err(Refused::Elsewhere) }
}

fn click_of(line: &str) -> Option<ClickId> {
    let mut parts = line.splitn(3, ' ');
    let (kind, seen_ms, value) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(ClickId { kind: kind.into(), value: value.into(), seen_ms })
}

/// A page may be on any host of its domain.
fn registrable(domain: &Domain) -> String {
    Domain::registrable(domain.as_str()).map_or_else(|| domain.to_string(), |domain| domain.to_string())
}

impl From<Unsealed> for Refused {
    fn from(why: Unsealed) -> Refused {
        match why {
            Unsealed::Malformed => Refused::Malformed,
            Unsealed::UnknownKey => Refused::UnknownKey,
            Unsealed::Forged => Refused::Forged,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::visitor::{Key, Signed};

    const NOW_MS: u64 = 1_700_000_000_999;

    fn ring(ids: &[&str]) -> Ring {
        Ring::new("tg_vid", ids.iter().map(|id| Key::new(*id, format!("secret of {id}"))).collect())
    }

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn passenger() -> Passenger {
        let click = ClickId { kind: "gclid".into(), value: "Cj0+b_ c".replace(' ', "-"), seen_ms: 5 };
        Passenger { visitor: VisitorId(Uuid::from_u128(7)), clicks: vec![click] }
    }

    fn token() -> String {
        make(&ring(&["k1"]), &passenger(), NOW_MS, &[domain("shop.example"), domain("pay.shop.co.uk")]).unwrap()
    }

    #[test]
    fn a_visitor_arrives_as_who_left() {
        let token = token();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        for here in ["shop.example", "www.shop.example", "shop.co.uk"] {
            assert_eq!(read(&ring(&["k2", "k1"]), &token, NOW_MS, &domain(here)), Ok(passenger()), "{here}");
        }
    }

    #[test]
    fn a_token_is_good_for_two_minutes_on_its_own_domains() {
        let (ring, token, here) = (ring(&["k1"]), token(), domain("shop.example"));
        for (at_ms, expected) in [
            (NOW_MS + 120_000, Ok(passenger())),
            (NOW_MS + 121_000, Err(Refused::Late)),
            (NOW_MS - 30_000, Ok(passenger())),
            (NOW_MS - 31_000, Err(Refused::Early)),
            (u64::MAX, Err(Refused::Late)),
            (0, Err(Refused::Early)),
        ] {
            assert_eq!(read(&ring, &token, at_ms, &here), expected, "{at_ms}");
        }
        assert_eq!(read(&ring, &token, NOW_MS, &domain("evil.example")), Err(Refused::Elsewhere));
        assert_eq!(read(&ring, &token, NOW_MS, &domain("evilshop.example")), Err(Refused::Elsewhere));
    }

    #[test]
    fn what_no_key_of_ours_signed_gives_nothing() {
        let (one, token, here) = (ring(&["k1"]), token(), domain("shop.example"));
        let mut other = token.clone().into_bytes();
        other[20] ^= 1;
        let cookie = one.sign(Signed { visitor: passenger().visitor, issued_s: NOW_MS / 1000 }).unwrap();
        for (given, expected) in [
            (String::from_utf8(other).unwrap(), Refused::Forged),
            (token.replace(".1700000000.", ".1700000009."), Refused::Forged),
            (token[..token.len() - 1].to_owned(), Refused::Forged),
            (passenger().visitor.to_string(), Refused::Malformed),
            (cookie, Refused::Malformed),
            (String::new(), Refused::Malformed),
            ("x".repeat(10_000), Refused::Malformed),
        ] {
            assert_eq!(read(&one, &given, NOW_MS, &here), Err(expected), "{given}");
        }
        assert_eq!(read(&ring(&["k2"]), &token, NOW_MS, &here), Err(Refused::UnknownKey));
        assert_eq!(one.verify(&token), None, "and a token is no cookie");
    }

    #[test]
    fn domains_are_registrable_ones_and_each_once() {
        let hosts = ["t.shop.example", "www.shop.example:8443", "127.0.0.1", "localhost", "pay.shop.co.uk"];
        let domains: Vec<String> = domains(hosts).iter().map(ToString::to_string).collect();
        assert_eq!(domains, ["shop.example", "shop.co.uk"]);
        let many: Vec<Domain> = (0..=DOMAINS_MAX).map(|n| domain(&format!("shop{n}.example"))).collect();
        assert!(make(&ring(&["k1"]), &passenger(), NOW_MS, &many[1..]).is_some());
        assert_eq!(make(&ring(&["k1"]), &passenger(), NOW_MS, &many), None);
    }

    #[test]
    fn a_token_is_bounded_whatever_travels() {
        let click = |kind: &str| ClickId { kind: kind.into(), value: "x".repeat(500), seen_ms: 1 };
        let clicks = ["gclid", "fbclid", "ttclid", "msclkid", "twclid"].map(click).to_vec();
        let loaded = Passenger { clicks, ..passenger() };
        let ring = ring(&["k1"]);
        let token = make(&ring, &loaded, NOW_MS, &[domain("shop.example")]).unwrap();
        assert!(token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
        let read = read(&ring, &token, NOW_MS, &domain("shop.example")).unwrap();
        assert_eq!((read.visitor, read.clicks.len()), (loaded.visitor, 2));
        assert_eq!(make(&ring, &loaded, NOW_MS, &[]), None);
        let hostile = Passenger {
            clicks: vec![ClickId { kind: "gclid".into(), value: "x\nd evil.example".into(), seen_ms: 1 }],
            ..loaded
        };
        let token = make(&ring, &hostile, NOW_MS, &[domain("shop.example")]).unwrap();
        assert_eq!(super::read(&ring, &token, NOW_MS, &domain("evil.example")), Err(Refused::Elsewhere));
    }
}
