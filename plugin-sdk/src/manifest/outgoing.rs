//! What a plugin's request must be for a gateway to store and send it, as far as its manifest tells: a gateway asks
//! this of every request, and the kit of every fixture's.
//!
//! Owns which headers are not a plugin's to set, and the bounds of a request. The address is the gateway's to make, and
//! to check.

use super::join::open_array;
use super::{Auth, Batch, Join};

/// Headers that are the gateway's own to set, that would change how the request is framed or routed, that would make
/// another method or path of it at a server that listens to them, or that say whom it comes from.
const DENIED: [&str; 29] = [
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
const DENIED_PREFIXES: [&str; 4] = ["proxy-", "sec-", "webhook-", "x-forwarded-"];
const HEADERS_MAX: usize = 32;
const HEADERS_BYTES_MAX: usize = 16 << 10;
const QUERY_MAX: usize = 64;
/// What a name may have beside letters and digits (RFC 9110, 5.6.2).
const NAME_MARKS: &[u8] = b"!#$%&'*+-.^_`|~";

/// The parts of a request that a manifest says something of.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// Names with their values.
    pub query: &'a [(String, String)],
    /// Names with their values.
    pub headers: &'a [(String, String)],
    /// Its bytes.
    pub body: &'a [u8],
}

impl Outgoing<'_> {
    /// Why a gateway would not send it, if it would not: joined in this way, with these credentials.
    pub fn problem(&self, batch: &Batch, auth: Option<&Auth>) -> Option<String> {
        if self.headers.len() > HEADERS_MAX || self.query.len() > QUERY_MAX {
            return Some(format!("more than {HEADERS_MAX} headers or {QUERY_MAX} query parameters"));
        }
        if self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > HEADERS_BYTES_MAX {
            return Some(format!("the headers have more than {HEADERS_BYTES_MAX} bytes"));
        }
        if let Some(problem) = self.headers.iter().find_map(|(name, value)| header_problem(name, value)) {
            return Some(problem);
        }
        if let Some(problem) = auth.and_then(|auth| self.stands_in_for(auth)) {
            return Some(problem);
        }
        let bytes_max = batch.body_max.0;
        if self.body.len() as u64 > bytes_max {
            return Some(format!("the body has {} bytes; {bytes_max} are allowed", self.body.len()));
        }
        joinable(batch.join_to(self.endpoint), self.body)
    }

    /// What of it would stand beside the credential that the gateway adds: a server takes the first of two, or the last.
    fn stands_in_for(&self, auth: &Auth) -> Option<String> {
        let (what, own, pairs) = match auth {
            Auth::Query { parameter, .. } => ("parameter", parameter, self.query),
            Auth::Header { header, .. } => ("header", header, self.headers),
            _ => return None,
        };
        let (name, _) = pairs.iter().find(|(name, _)| plain(name) == plain(own))?;
        Some(format!("the {what} `{}` carries the credential: it is not a plugin's to set", name.escape_debug()))
    }
}

fn header_problem(name: &str, value: &str) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || NAME_MARKS.contains(&b)) {
        return Some(format!("{name:?} is no name of a header"));
    }
    let (name, plain) = (name.to_ascii_lowercase(), plain(name));
    if DENIED.contains(&plain.as_str()) || DENIED_PREFIXES.iter().any(|prefix| plain.starts_with(prefix)) {
        return Some(format!("the header `{name}` is not a plugin's to set"));
    }
    let can_be_sent = value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
    (!can_be_sent).then(|| format!("the value of header `{name}` cannot be sent"))
}

/// A name as servers that fold names take it: many do not tell `_`, `.` and a space from `-`.
fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', '.', ' '], "-")
}

/// Requests that are to be joined have exactly one element each, so that an outcome by position is an event's.
fn joinable(join: &Join, body: &[u8]) -> Option<String> {
    match join {
        Join::None => None,
        Join::JsonArray(pointer) => match open_array(body, pointer) {
            None => Some(format!("the body has no array at `{pointer}`")),
            Some(opened) if opened.elements().map(|list| list.len()) != Some(1) => {
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
    use super::super::Size;
    use super::*;

    #[test]
    fn headers_that_carry_credentials_change_the_framing_or_speak_for_others_are_denied() {
        let denied = DENIED.iter().copied().chain(["proxy-authorization", "sec-fetch-site", "webhook-id"]);
        for name in
            denied.chain(["X-Forwarded-Host", "AUTHORIZATION", "Cookie", "X_Forwarded_For", "x-http_method_override"])
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

    #[test]
    fn nothing_stands_beside_the_credential_that_the_gateway_adds() {
        let pairs = |name: &str| [(name.to_owned(), "of the plugin's own".to_owned())];
        let query = Auth::Query { parameter: "api_key".into(), secret: "key".into() };
        let header = Auth::Header { header: "X-Api-Key".into(), secret: "key".into() };
        let problem = |auth: &Auth, query: &[(String, String)], headers: &[(String, String)]| {
            let request = Outgoing { endpoint: "events", query, headers, body: b"" };
            request.problem(&Batch::default(), Some(auth)).unwrap_or_default()
        };
        for name in ["api_key", "API_KEY", "api.key", " api key"] {
            let said = format!("the parameter `{name}` carries the credential: it is not a plugin's to set");
            assert_eq!(problem(&query, &pairs(name), &[]), said);
        }
        let said = "the header `x_api_key` carries the credential: it is not a plugin's to set";
        assert_eq!(problem(&header, &[], &pairs("x_api_key")), said);
        assert_eq!(problem(&query, &pairs("api_keys"), &pairs("api_key")), "");
        assert_eq!(problem(&header, &pairs("x-api-key"), &pairs("x-api")), "");
    }

    #[test]
    fn a_request_has_bounds_and_what_its_join_needs() {
        let pairs = |count: usize, bytes: usize| vec![("x".to_owned(), "v".repeat(bytes)); count];
        let problem = |join: &Join, (query, headers): (usize, (usize, usize)), body: &str| {
            let batch = Batch { join: join.clone(), body_max: Size(20), ..Batch::default() };
            let (query, headers) = (pairs(query, 1), pairs(headers.0, headers.1));
            let request = Outgoing { endpoint: "events", query: &query, headers: &headers, body: body.as_bytes() };
            request.problem(&batch, None).unwrap_or_default()
        };
        let (none, array) = (Join::None, Join::JsonArray("/data".into()));
        assert_eq!(problem(&none, (64, (32, 500)), "anything"), "");
        assert_eq!(problem(&none, (65, (0, 0)), ""), "more than 32 headers or 64 query parameters");
        assert_eq!(problem(&none, (0, (33, 1)), ""), "more than 32 headers or 64 query parameters");
        assert_eq!(problem(&none, (0, (32, 512)), ""), "the headers have more than 16384 bytes");
        assert_eq!(problem(&none, (0, (0, 0)), &"x".repeat(21)), "the body has 21 bytes; 20 are allowed");
        assert_eq!(problem(&array, (0, (0, 0)), r#"{"data":[1]}"#), "");
        assert_eq!(problem(&array, (0, (0, 0)), r#"{"events":[1]}"#), "the body has no array at `/data`");
        let two = problem(&array, (0, (0, 0)), r#"{"data":[1,2]}"#);
        assert_eq!(two, "the array at `/data` must have exactly one element");
        assert_eq!(problem(&Join::Ndjson, (0, (0, 0)), "{}\n"), "");
        assert_eq!(problem(&Join::Ndjson, (0, (0, 0)), "{}\n{}"), "the body must be one line, and has 2");
    }
}
