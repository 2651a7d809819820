//! Cookies as headers: read from a request and set with its answer. What they mean is [`tidegate_identity`]'s, and
//! [`tidegate_consent`]'s where they tell of consent.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use tidegate_consent::cookie::{self, Stored};
use tidegate_consent::{Signals, gpp, tcf};
use tidegate_event::Level;
use tidegate_identity::jar::Jar;
use tidegate_identity::platform::{self, Readers};
use tidegate_identity::set_cookie::{Place, SetCookie};
use tidegate_identity::visitor::{Key, Ring};

use crate::config::Visitor;

/// How many of the platforms' cookies are kept with an event.
const PLATFORM_COOKIES_MAX: usize = 32;
/// So many cookies of consent are no browser's; more of them say nothing more.
const CONSENT_COOKIES_MAX: usize = 8;

/// The ring of a configuration.
pub(super) fn ring(visitor: &Visitor) -> Ring {
    let keys = visitor.keys.iter().map(|key| Key::new(key.id.as_str(), key.key.reveal()));
    Ring::new(visitor.cookie.as_str(), keys.collect())
}

/// A request's cookies.
pub(super) fn jar(headers: &HeaderMap) -> Jar {
    // Pages may write any bytes into a cookie of theirs: those of one do not hide the others.
    let lines: Vec<_> = headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    Jar::read(lines.iter().map(|line| &**line))
}

/// The platforms' cookies among them.
pub(super) fn platforms(jar: &Jar) -> Vec<(String, String)> {
    let known = jar.iter().filter(|(name, _)| platform::is_known(name));
    known.take(PLATFORM_COOKIES_MAX).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Adds what a browser's cookies say of consent. A cookie that is there twice counts twice: the stricter one decides.
pub(super) fn consent(jar: &Jar, signals: &mut Signals) {
    let is_consent = |name: &str| name == cookie::NAME || name == tcf::COOKIE || gpp::COOKIES.contains(&name);
    for (name, value) in jar.iter().filter(|(name, _)| is_consent(name)).take(CONSENT_COOKIES_MAX) {
        match name {
            cookie::NAME => signals.cookie(value),
            tcf::COOKIE => signals.tcf(value),
            _ => signals.gpp(value),
        }
    }
}

/// The cookie that keeps what the visitor told us. What another signal refuses is written no more than before: a refusal of
/// our own is, over what it replaces.
pub(super) fn told(told: Option<Stored>, level: Level, place: &Place) -> Option<SetCookie> {
    let told = told.filter(|told| told.level == Level::None || level >= Level::Analytics)?;
    SetCookie::new(cookie::NAME, &told.to_string(), cookie::LIFE_S, Readers::Scripts, place)
}

/// Sets cookies with an answer.
pub(super) fn set(lines: &[SetCookie], answer: &mut HeaderMap) {
    for line in lines {
        // A line has only characters that a header takes.
        if let Ok(value) = HeaderValue::try_from(line.to_string()) {
            answer.append(SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_any_bytes_hides_no_other() {
        let line = HeaderValue::from_bytes("name=Jörg; tg_consent=v1.none.1700000000".as_bytes()).unwrap();
        let latin = HeaderValue::from_bytes(b"a=J\xf6rg; b=2").unwrap();
        let jar = jar(&HeaderMap::from_iter([(COOKIE, line), (COOKIE, latin)]));
        assert_eq!((jar.get("tg_consent"), jar.get("name")), (Some("v1.none.1700000000"), Some("Jörg")));
        assert_eq!(jar.get("b"), Some("2"));
    }
}
