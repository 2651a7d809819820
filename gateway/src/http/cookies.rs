//! Cookies: the signed visitor ID, and the platforms' own, read from a request and set with its answer.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use tidegate_consent::{Signals, cookie, gpp, tcf};
use tidegate_event::{Level, VisitorId};

use super::address::{self, Scheme};
use crate::config::{Secret, Visitor, VisitorKey};
use crate::journey::visit::Visit;
use crate::journey::{Identity, clicks};

/// Chromium keeps no cookie longer: 400 days.
const VISITOR_AGE_S: u32 = 34_560_000;
const PLATFORM_AGE_S: u32 = 90 * 86_400;
/// Sixteen of the HMAC's bytes: as hard to guess as a UUID.
const MAC_BYTES: usize = 16;

/// The keys that sign visitor IDs: the first signs, all verify.
#[derive(Debug, Clone)]
pub struct Ring {
    cookie: String,
    keys: Vec<VisitorKey>,
}

/// What a request's visitor cookie turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    /// Not signed by a key of ours.
    Forged,
    Visitor(VisitorId),
}

impl Ring {
    /// The ring of a configuration.
    pub fn new(visitor: &Visitor) -> Ring {
        Ring { cookie: visitor.cookie.clone(), keys: visitor.keys.clone() }
    }

    /// The value of a visitor's cookie: `v1.<key id>.<uuid>.<issued, Unix seconds>.<HMAC-SHA256, 16 bytes, base64url>`.
    pub fn sign(&self, visitor: VisitorId, issued_s: u64) -> Option<String> {
        let VisitorKey { id, key } = self.keys.first()?;
        let signed = format!("v1.{id}.{visitor}.{issued_s}");
        let mac = BASE64_URL_SAFE_NO_PAD.encode(&mac(key, &signed).finalize().into_bytes()[..MAC_BYTES]);
        Some(format!("{signed}.{mac}"))
    }

    /// The visitor that a cookie's value names, if a key of the ring signed it.
    pub fn verify(&self, value: &str) -> Option<VisitorId> {
        let (signed, given) = value.rsplit_once('.')?;
        let mut parts = signed.split('.');
        let (version, kid, visitor, issued) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "v1" || parts.next().is_some() || issued.parse::<u64>().is_err() {
            return None;
        }
        let given = BASE64_URL_SAFE_NO_PAD.decode(given).ok().filter(|given| given.len() == MAC_BYTES)?;
        let key = self.keys.iter().find(|key| key.id == kid)?;
        mac(&key.key, signed).verify_truncated_left(&given).ok()?;
        VisitorId::parse(visitor).ok()
    }

    /// The visitor of a request.
    pub(super) fn visitor(&self, headers: &HeaderMap) -> Found {
        let ours = |name: &str| name == self.cookie || name.strip_prefix("__Secure-") == Some(&self.cookie);
        let mut found = Found::Absent;
        for (_, value) in cookies(headers).filter(|(name, _)| ours(name)) {
            match self.verify(value) {
                Some(visitor) => return Found::Visitor(visitor),
                None => found = Found::Forged,
            }
        }
        found
    }
}

/// The platforms' cookies of a request.
pub(super) fn platform(headers: &HeaderMap) -> Vec<(String, String)> {
    let known = cookies(headers).filter(|(name, _)| clicks::is_platform_cookie(name));
    known.take(32).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Adds what a browser's cookies say of consent. A cookie that is there twice counts twice: the stricter one decides.
pub(super) fn consent(headers: &HeaderMap, signals: &mut Signals) {
    // So many are no browser's; more of them say nothing more.
    const MAX: usize = 8;
    let is_consent = |name: &str| name == cookie::NAME || name == tcf::COOKIE || gpp::COOKIES.contains(&name);
    for (name, value) in cookies(headers).filter(|(name, _)| is_consent(name)).take(MAX) {
        match name {
            cookie::NAME => signals.cookie(value),
            tcf::COOKIE => signals.tcf(value),
            _ => signals.gpp(value),
        }
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).take(200)
}

/// The domain that cookies are set for: the registrable one, so that the site and all its hosts share them. An
/// address, `localhost`, and a public suffix itself have none.
pub(super) fn domain(host: &str) -> Option<&str> {
    let host = address::host_name(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') || !host.contains('.') {
        return None;
    }
    psl::domain_str(host)
}

/// Sets the cookies that an answer may set by the visitor's consent; by none, none but that which keeps what the visitor
/// told us.
pub(super) fn set(
    ring: &Ring,
    identity: &Identity,
    visit: &Visit,
    domain: Option<&str>,
    scheme: Scheme,
    answer: &mut HeaderMap,
) {
    let place = Place { domain, scheme };
    // What is refused by another signal is written no more than before: a refusal of our own is, over what it replaces.
    let may_write = |level| level == Level::None || identity.level >= Level::Analytics;
    if let Some(told) = identity.told.filter(|told| may_write(told.level)) {
        append(answer, &format!("{}={told}", cookie::NAME), cookie::LIFE_S, &place, "");
    }
    if identity.level < Level::Analytics {
        return;
    }
    let now_s = visit.received_ms / 1000;
    if let Some(value) = ring.sign(identity.visitor, now_s) {
        let prefix = if scheme == Scheme::Https { "__Secure-" } else { "" };
        append(answer, &format!("{prefix}{}={value}", ring.cookie), VISITOR_AGE_S, &place, "; HttpOnly");
    }
    if identity.level < Level::Marketing {
        return;
    }
    for click in &identity.clicks {
        let Some((name, value)) = clicks::cookie_for(click, visit.domain_labels) else { continue };
        let current = visit.cookies.iter().find(|(cookie, _)| cookie == name);
        // The browser's own may carry more than we know of it, such as Meta's appendix: the same click keeps it.
        let same = current.filter(|(cookie, value)| {
            clicks::in_cookie(cookie, value, visit.received_ms).is_some_and(|known| known.value == click.value)
        });
        let value = same.map_or(value.as_str(), |(_, value)| value);
        append(answer, &format!("{name}={value}"), PLATFORM_AGE_S, &place, "");
    }
    let fbp = match visit.cookies.iter().find(|(name, _)| name == "_fbp") {
        Some((_, value)) => value.clone(),
        None => {
            let random = rand::random::<u32>() >> 1;
            format!("fb.{}.{}.{random}", visit.domain_labels.saturating_sub(1), visit.received_ms)
        }
    };
    append(answer, &format!("_fbp={fbp}"), PLATFORM_AGE_S, &place, "");
}

struct Place<'a> {
    domain: Option<&'a str>,
    scheme: Scheme,
}

fn append(answer: &mut HeaderMap, pair: &str, age_s: u32, place: &Place<'_>, more: &str) {
    let domain = place.domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let secure = if place.scheme == Scheme::Https { "; Secure" } else { "" };
    let text = format!("{pair}; Path=/; Max-Age={age_s}; SameSite=Lax{domain}{secure}{more}");
    // A value that no header takes came from the request's own cookies; it is simply not sent again.
    if let Ok(value) = HeaderValue::try_from(text) {
        answer.append(SET_COOKIE, value);
    }
}

fn mac(key: &Secret, text: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("any length is right");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ring(ids: &[&str]) -> Ring {
        let keys = ids.iter().map(|id| VisitorKey { id: (*id).into(), key: Secret::new(format!("secret of {id}")) });
        Ring { cookie: "tg_vid".into(), keys: keys.collect() }
    }

    const VISITOR: VisitorId = VisitorId(Uuid::from_u128(7));

    #[test]
    fn keys_rotate_without_losing_a_visitor() {
        let value = ring(&["k1"]).sign(VISITOR, 1_700_000_000).unwrap();
        assert_eq!(ring(&["k2", "k1"]).verify(&value), Some(VISITOR));
        assert_eq!(ring(&["k2"]).verify(&value), None);
    }

    #[test]
    fn a_forged_value_is_nobody() {
        let value = ring(&["k1"]).sign(VISITOR, 1_700_000_000).unwrap();
        let other = value.replace("000000000007", "000000000008");
        for forged in [other.as_str(), "", "v1.k1", "v1.k1.x.1.AAAA", &value[..value.len() - 1], "7"] {
            assert_eq!(ring(&["k1"]).verify(forged), None, "{forged}");
        }
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&format!("tg_vid={other}")).unwrap())]);
        assert_eq!(ring(&["k1"]).visitor(&headers), Found::Forged);
    }

    #[test]
    fn cookies_are_set_for_the_registrable_domain_or_the_host_alone() {
        assert_eq!(domain("track.shop.example.co.uk:8080"), Some("example.co.uk"));
        assert_eq!(domain("track.shop.example"), Some("shop.example"));
        assert_eq!(domain("shop.github.io"), Some("shop.github.io"));
        for none in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "github.io", "co.uk"] {
            assert_eq!(domain(none), None, "{none}");
        }
    }
}
