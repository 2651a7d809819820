//! What a plugin's request must be for the gateway to send it, checked before it is stored.

use http::{HeaderName, HeaderValue};
use tidegate_plugin_sdk::manifest::Join;
use tidegate_sandbox::contract;

use super::merge;
use crate::destination::Destination;

/// Headers that are the gateway's own to set, that would change how the request is framed or routed, that would make another
/// method or path of it at a server that listens to them, or that say whom it comes from.
const DENIED: &[&str] = &[
    "authorization",
    "cf-connecting-ip",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-client-ip",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-http-path-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const DENIED_PREFIXES: &[&str] = &["proxy-", "sec-", "webhook-", "x-forwarded-"];
const HEADERS_MAX: usize = 32;
const HEADERS_BYTES_MAX: usize = 16 << 10;
const QUERY_MAX: usize = 64;
/// Longer ones are refused by most servers, and by proxies before them.
const URL_BYTES_MAX: usize = 32 << 10;

/// What is wrong with a request, if anything.
pub fn problem(destination: &Destination, request: &contract::Request) -> Option<String> {
    let Some(endpoint) = destination.endpoints.get(&request.endpoint) else {
        return Some(format!("`{}` is no endpoint of the manifest", request.endpoint));
    };
    match endpoint.url(&request.path, &request.query) {
        Err(e) => return Some(e.to_string()),
        Ok(url) if url.as_str().len() > URL_BYTES_MAX => {
            return Some(format!("the address is longer than {URL_BYTES_MAX} bytes"));
        }
        Ok(_) => {}
    }
    if request.headers.len() > HEADERS_MAX || request.query.len() > QUERY_MAX {
        return Some(format!("more than {HEADERS_MAX} headers or {QUERY_MAX} query parameters"));
    }
    if request.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > HEADERS_BYTES_MAX {
        return Some(format!("the headers have more than {HEADERS_BYTES_MAX} bytes"));
    }
    if let Some(problem) = request.headers.iter().find_map(|(name, value)| header_problem(name, value)) {
        return Some(problem);
    }
    let bytes_max = destination.batch.body_max.0;
    if request.body.len() as u64 > bytes_max {
        return Some(format!("the body has {} bytes; {bytes_max} are allowed", request.body.len()));
    }
    joinable(destination.batch.join_to(&request.endpoint), &request.body)
}

fn header_problem(name: &str, value: &str) -> Option<String> {
    let Ok(parsed) = HeaderName::try_from(name) else {
        return Some(format!("{name:?} is no name of a header"));
    };
    let name = parsed.as_str();
    if DENIED.contains(&name) || DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(format!("the header `{name}` is not a plugin's to set"));
    }
    HeaderValue::from_str(value).is_err().then(|| format!("the value of header `{name}` cannot be sent"))
}

/// Requests that are to be joined have exactly one element each, so that an outcome by position is an event's.
fn joinable(join: &Join, body: &[u8]) -> Option<String> {
    match join {
        Join::None => None,
        Join::JsonArray(pointer) => match merge::open_array(body, pointer) {
            None => Some(format!("the body has no array at `{pointer}`")),
            Some(opened) if opened.elements() != Some(1) => {
                Some(format!("the array at `{pointer}` must have exactly one element"))
            }
            Some(_) => None,
        },
        Join::Ndjson => {
            let lines = body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).count();
            (lines != 1).then(|| format!("the body must be one line, and has {lines}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_carry_credentials_change_the_framing_or_speak_for_others_are_denied() {
        let denied = DENIED.iter().copied().chain(["proxy-authorization", "sec-fetch-site", "webhook-id"]);
        for name in
            denied.chain(["x-forwarded-for", "X-Forwarded-Host", "AUTHORIZATION", "Cookie", "X-HTTP-Method-Override"])
        {
            let said = header_problem(name, "x").unwrap_or_default();
            assert_eq!(said, format!("the header `{}` is not a plugin's to set", name.to_lowercase()));
        }
        for name in ["content-type", "accept", "x-api-version", "idempotency-key", "if-match"] {
            assert_eq!(header_problem(name, "application/json"), None, "{name}");
        }
    }

    #[test]
    fn a_header_cannot_smuggle_a_line() {
        for value in ["b\r\nhost: evil", "b\nhost: evil", "b\rhost: evil", "b\0", "b\u{7f}"] {
            assert!(header_problem("x-a", value).is_some(), "{value:?}");
        }
        for name in ["x-a\r\nb", "x-a: b\r\nhost", ":authority", ":method", ":path", "x a", "", "x-\u{e9}", "x-a\0"] {
            assert!(header_problem(name, "c").is_some(), "{name:?}");
        }
    }
}
