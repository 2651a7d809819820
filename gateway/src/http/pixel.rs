//! `GET /p.gif`: one event as an image, for mails and for pages without scripts.
//!
//! Always answers with the image, whatever became of the event: a mail that is read years later shows nothing broken. The
//! status tells, and `x-tidegate-error` says why.
//!
//! Anybody's page can ask for it, and has no `Origin` to be known by: so no cookie counts that such a page had sent along, and
//! none is set. Otherwise a link on any page could give or withdraw consent in the visitor's name.

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ORIGIN, REFERER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::collect::Answering;
use super::reply::{self, Reply};
use super::sites::Refusal;
use crate::journey::Protocol;
use crate::journey::decode::Envelope;

/// Where it is asked for.
pub(super) const PATH: &str = "/p.gif";
/// One transparent pixel.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\
                     \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";
const WHY: HeaderName = HeaderName::from_static("x-tidegate-error");
/// How a browser came to ask, and from whose page.
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What a page view has by itself; a mail names its event.
const EVENT: &str = "page_view";
/// Parameters that are fields of an event; all others are properties.
const FIELDS: [&str; 6] = ["anonymous_id", "consent", "customer_id", "event", "id", "timestamp"];
const KEYS: [&str; 2] = ["write_key", "writeKey"];
const PARAMETERS_MAX: usize = 64;

impl Answering<'_> {
    pub(super) async fn pixel(&self) -> Reply {
        if !matches!(self.head.method, Method::GET | Method::HEAD) {
            let mut reply = reply::failure(StatusCode::METHOD_NOT_ALLOWED, "an image is asked for with GET", "");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        // Who only looks whether there is an image has read no mail.
        if self.head.method == Method::HEAD {
            return image(StatusCode::OK);
        }
        if is_navigation(&self.head.headers) {
            let why =
                reply::failure(StatusCode::FORBIDDEN, "an event is an image in a page or mail, not a page itself", "");
            return shown(why).await;
        }
        let Some(_permit) = self.collector.permit() else {
            return shown(reply::crowded()).await;
        };
        let event = event(self.head.uri.query().unwrap_or_default());
        let envelope = Envelope::single(event);
        let head = head_of(self.head);
        let answering = Answering { head: &head, peer: self.peer.clone(), ..*self };
        let taken = async {
            let grant = self.sites.admit(&head, &self.peer.host, &envelope, self.collector.steady_ms())?;
            Ok(answering.take(&envelope, Protocol::Own, grant).await)
        };
        shown(taken.await.unwrap_or_else(|refusal: Refusal| *refusal)).await
    }
}

/// Whether a browser was led here, as by a link, instead of showing the image in a page. Old browsers say it by what they
/// would like to get.
fn is_navigation(headers: &HeaderMap) -> bool {
    let said = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    match said(MODE) {
        Some(mode) => mode == b"navigate",
        None => said(ACCEPT).is_some_and(|accept| accept.starts_with(b"text/html")),
    }
}

/// The request, without what a browser adds of its visitor where the page is of somebody else: a webmail's, say.
fn head_of(head: &Parts) -> Parts {
    let mut head = head.clone();
    if head.headers.get(SITE).is_some_and(|site| site == "cross-site") {
        for name in [COOKIE, REFERER, ORIGIN, SITE] {
            head.headers.remove(name);
        }
    }
    head
}

/// The event that the query tells of.
fn event(query: &str) -> Value {
    let (mut event, mut properties, mut page) = (Map::new(), Map::new(), Map::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()).take(PARAMETERS_MAX) {
        let value = Value::String(value.into_owned());
        match &*name {
            name if KEYS.contains(&name) => None,
            "url" | "title" | "referrer" => page.insert(name.into_owned(), value),
            name if FIELDS.contains(&name) => event.insert(name.to_owned(), value),
            _ => properties.insert(name.into_owned(), value),
        };
    }
    event.entry("event").or_insert_with(|| EVENT.into());
    for (name, object) in [("page", page), ("properties", properties)] {
        if !object.is_empty() {
            event.insert(name.to_owned(), object.into());
        }
    }
    event.into()
}

/// The image in place of an answer's text, with its status and cookies.
async fn shown(answer: Reply) -> Reply {
    let (head, body) = answer.into_parts();
    let mut reply = image(head.status);
    for (name, value) in &head.headers {
        if *name == http::header::SET_COOKIE || *name == http::header::RETRY_AFTER {
            reply.headers_mut().append(name, value.clone());
        }
    }
    if !head.status.is_success()
        && let Some(why) = why(body).await
    {
        reply.headers_mut().insert(WHY, why);
    }
    reply
}

fn image(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Full::from(Bytes::from_static(GIF)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// What an answer in JSON says is wrong: its own error, or that of its one event.
async fn why(body: Full<Bytes>) -> Option<HeaderValue> {
    let Ok(body) = http_body_util::BodyExt::collect(body).await;
    let answer: Value = serde_json::from_slice(&body.to_bytes()).ok()?;
    let why = answer["error"].as_str().or_else(|| answer["errors"][0]["message"].as_str())?;
    // A header holds no other characters.
    let plain: String = why.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    HeaderValue::try_from(plain).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_query_is_an_event_with_what_it_does_not_know_as_properties() {
        let query =
            "write_key=k&event=email_open&id=m-1&consent=analytics&url=https%3A%2F%2Fshop.example%2F&campaign=may+sale";
        let expected = json!({
            "event": "email_open", "id": "m-1", "consent": "analytics",
            "page": { "url": "https://shop.example/" }, "properties": { "campaign": "may sale" },
        });
        assert_eq!(event(query), expected);
        assert_eq!(event(""), json!({ "event": "page_view" }));
    }

    #[test]
    fn the_image_is_one_pixel() {
        // A GIF's width and height are the two bytes each behind its signature.
        assert_eq!((&GIF[..6], &GIF[6..10]), (&b"GIF89a"[..], &[1, 0, 1, 0][..]));
        assert_eq!((GIF.len(), GIF.last()), (43, Some(&0x3b)));
    }
}
