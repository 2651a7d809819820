//! CORS: a configured origin is mirrored, with credentials, and so is the host's own; any other gets nothing.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::sites::is_ours;
use crate::config::Site;

const PRIVATE_NETWORK_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// What a request's `Origin` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// There is none: not a page's script.
    Absent,
    Allowed(HeaderValue),
    /// A page that the site does not know.
    Foreign,
}

/// Compares a request's origin with those of sites. In path mode a page asks its own host, which needs no configuring.
pub(super) fn origin<'a>(headers: &HeaderMap, host: &str, mut sites: impl Iterator<Item = &'a Site>) -> Origin {
    let Some(value) = headers.get(ORIGIN) else { return Origin::Absent };
    let Ok(text) = value.to_str() else { return Origin::Foreign };
    let is_host = text.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host));
    let knows = |site: &Site| {
        site.origins.iter().any(|origin| origin.eq_ignore_ascii_case(text)) || is_host && is_ours(host, &site.hosts)
    };
    if sites.any(knows) { Origin::Allowed(value.clone()) } else { Origin::Foreign }
}

/// Headers for the answer to an allowed origin. `Vary` always: a cache must not give one origin another's answer.
pub(super) fn allow(origin: &Origin, answer: &mut HeaderMap) {
    answer.append(VARY, HeaderValue::from_static("origin"));
    if let Origin::Allowed(value) = origin {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        // Scripts of other origins see no header that is not named.
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
}

/// Headers for the answer to an allowed origin's preflight: what it asked for is mirrored.
pub(super) fn preflight(asked: &HeaderMap, answer: &mut HeaderMap) {
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(headers) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
    }
    // A public page that sends to a gateway on the visitor's own network, as in development.
    if asked.get(&PRIVATE_NETWORK_ASKED).is_some_and(|value| value == "true") {
        answer.insert(PRIVATE_NETWORK_ALLOWED, HeaderValue::from_static("true"));
    }
}
