//! What a plugin's request must be for the gateway to send it, checked before it is stored.

use http::{HeaderName, HeaderValue};
use tidegate_plugin_sdk::manifest::Join;
use tidegate_sandbox::contract;

use super::merge;
use crate::destination::Destination;

/// Headers that are the gateway's own to set, or that would change how the request is framed or routed.
const DENIED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
const DENIED_PREFIXES: &[&str] = &["proxy-", "sec-", "webhook-", "x-forwarded-"];
const HEADERS_MAX: usize = 32;
const QUERY_MAX: usize = 64;

/// What is wrong with a request, if anything.
pub fn problem(destination: &Destination, request: &contract::Request) -> Option<String> {
    let Some(endpoint) = destination.endpoints.get(&request.endpoint) else {
        return Some(format!("`{}` is no endpoint of the manifest", request.endpoint));
    };
    if let Err(e) = endpoint.url(&request.path, &request.query) {
        return Some(e.to_string());
    }
    if request.headers.len() > HEADERS_MAX || request.query.len() > QUERY_MAX {
        return Some(format!("more than {HEADERS_MAX} headers or {QUERY_MAX} query parameters"));
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
    fn headers_that_carry_credentials_or_change_the_framing_are_denied() {
        for name in ["Authorization", "cookie", "Host", "Transfer-Encoding", "webhook-signature", "X-Forwarded-For"] {
            assert!(header_problem(name, "x").is_some(), "{name}");
        }
        assert_eq!(header_problem("content-type", "application/json"), None);
    }

    #[test]
    fn a_header_cannot_smuggle_a_line() {
        assert!(header_problem("x-a", "b\r\nhost: evil").is_some());
        assert!(header_problem("x-a\r\nb", "c").is_some());
    }
}
