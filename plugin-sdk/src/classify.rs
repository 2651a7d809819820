//! What an answer means, by its HTTP status: the default that a plugin corrects where its platform knows better.

use crate::{Context, Response, Verdict, time};

/// The default meaning of an answer to a request that carried `count` events.
///
/// | status | verdict |
/// |---|---|
/// | 2xx | delivered |
/// | 408, 425, 429, 5xx | retry, not before `Retry-After` |
/// | 401, 403, 407 | the credentials are refused |
/// | 400, 413, 422 | split, when there was more than one event: the answer does not tell which is bad; otherwise rejected |
/// | any other, 3xx too, because redirects are not followed | rejected, with the beginning of the body |
pub fn by_status(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        200..=299 => Verdict::Delivered,
        408 | 425 | 429 | 500..=599 => Verdict::Retry(retry_after_ms(response, ctx.now_ms)),
        401 | 403 | 407 => Verdict::Credentials(reason(response)),
        400 | 413 | 422 if count > 1 => Verdict::Split,
        300..=399 => Verdict::Reject(format!("{} (redirects are not followed)", reason(response))),
        _ => Verdict::Reject(reason(response)),
    }
}

/// The status and the beginning of the body: `HTTP 400: {"error":"unknown pixel"}`.
pub fn reason(response: &Response) -> String {
    let excerpt = excerpt(&response.body);
    if excerpt.is_empty() {
        format!("HTTP {}", response.status)
    } else {
        format!("HTTP {}: {excerpt}", response.status)
    }
}

/// The first 200 characters of a body, on one line, without what cannot be printed.
pub fn excerpt(body: &[u8]) -> String {
    // 200 characters have at most 800 bytes; what follows is not even decoded.
    let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_CHARS * 4)]);
    let printable = start.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let printable = printable.filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER);
    printable.take(EXCERPT_CHARS).collect::<String>().trim().to_owned()
}

/// How long the answer's `Retry-After` asks to wait, in milliseconds: from seconds, or an HTTP date after `now_ms`.
pub fn retry_after_ms(response: &Response, now_ms: u64) -> Option<u64> {
    let value = header(response, "retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    time::parse_http_date(value).map(|at_ms| at_ms.saturating_sub(now_ms))
}

/// How long to wait by a header that counts the seconds down to when a limit is reset, such as `x-ratelimit-reset`, in
/// milliseconds. A wait of more than `wait_max_ms` is not believed: elsewhere these headers name a moment, which as a span
/// would be ages.
pub fn reset_after_ms(response: &Response, name: &str, wait_max_ms: u64) -> Option<u64> {
    let seconds = header(response, name)?.trim().parse::<u64>().ok()?;
    Some(seconds.saturating_mul(1_000)).filter(|wait_ms| *wait_ms <= wait_max_ms)
}

/// The first header with this name, whose case does not matter.
pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

const EXCERPT_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &[u8]) -> Response {
        Response { endpoint: "events".into(), status, headers: Vec::new(), body: body.to_vec() }
    }

    fn verdict(status: u16, count: u32) -> Verdict {
        by_status(&response(status, b""), count, &Context::example())
    }

    #[test]
    fn each_class_of_status_has_its_verdict() {
        assert_eq!(verdict(200, 1), Verdict::Delivered);
        assert_eq!(verdict(204, 1), Verdict::Delivered);
        for status in [408, 425, 429, 500, 503, 599] {
            assert_eq!(verdict(status, 1), Verdict::Retry(None), "{status}");
        }
        for status in [401, 403, 407] {
            assert_eq!(verdict(status, 1), Verdict::Credentials(format!("HTTP {status}")));
        }
        assert_eq!(verdict(413, 2), Verdict::Split);
        assert_eq!(verdict(413, 1), Verdict::Reject("HTTP 413".into()));
        assert_eq!(verdict(404, 9), Verdict::Reject("HTTP 404".into()));
        assert_eq!(verdict(302, 1), Verdict::Reject("HTTP 302 (redirects are not followed)".into()));
        assert_eq!(verdict(100, 1), Verdict::Reject("HTTP 100".into()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let with = |value: &str| Response { headers: vec![("Retry-After".into(), value.into())], ..response(429, b"") };
        let now_ms = 784_111_747_000;
        assert_eq!(retry_after_ms(&with("30"), now_ms), Some(30_000));
        assert_eq!(retry_after_ms(&with("Sun, 06 Nov 1994 08:49:37 GMT"), now_ms), Some(30_000));
        assert_eq!(retry_after_ms(&with("Sun, 06 Nov 1994 08:49:37 GMT"), u64::MAX), Some(0));
        assert_eq!(retry_after_ms(&with("soon"), now_ms), None);
        assert_eq!(retry_after_ms(&with("-1"), now_ms), None);
    }

    #[test]
    fn a_reset_is_a_span_and_no_moment() {
        let with =
            |value: &str| Response { headers: vec![("X-RateLimit-Reset".into(), value.into())], ..response(429, b"") };
        let reset = |value: &str| reset_after_ms(&with(value), "x-ratelimit-reset", 3_600_000);
        assert_eq!((reset("30"), reset(" 3600 ")), (Some(30_000), Some(3_600_000)));
        assert_eq!((reset("3601"), reset("1768487522"), reset("soon"), reset("-1")), (None, None, None, None));
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(excerpt(b" {\"error\":\n\t\"bad\x1b[31m\xff\"} "), "{\"error\":  \"bad[31m\"}");
        assert_eq!(excerpt("ä".repeat(500).as_bytes()).chars().count(), 200);
        assert_eq!(reason(&response(400, b"no such pixel")), "HTTP 400: no such pixel");
    }
}
