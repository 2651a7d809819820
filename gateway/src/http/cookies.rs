//! Cookies as headers: read from a request and set with its answer. What they mean is [`tidegate_identity`]'s.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use tidegate_identity::jar::Jar;
use tidegate_identity::platform;
use tidegate_identity::set_cookie::SetCookie;
use tidegate_identity::visitor::{Key, Ring};

use crate::config::Visitor;

/// How many of the platforms' cookies are kept with an event.
const PLATFORM_COOKIES_MAX: usize = 32;

/// The ring of a configuration.
pub(super) fn ring(visitor: &Visitor) -> Ring {
    let keys = visitor.keys.iter().map(|key| Key::new(key.id.as_str(), key.key.reveal()));
    Ring::new(visitor.cookie.as_str(), keys.collect())
}

/// A request's cookies.
pub(super) fn jar(headers: &HeaderMap) -> Jar {
    Jar::read(headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()))
}

/// The platforms' cookies among them.
pub(super) fn platforms(jar: &Jar) -> Vec<(String, String)> {
    let known = jar.iter().filter(|(name, _)| platform::is_known(name));
    known.take(PLATFORM_COOKIES_MAX).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
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
