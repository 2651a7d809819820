//! `GET /r?to=URL`: a top-level navigation through the gateway. Cookies of its answer live their full term in every browser.
//!
//! Leads only to `redirect_hosts` of the site whose host was asked. What is written follows the
//! consent that the browser's cookies and headers tell, else the site's default where the visitor is.

use http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, Method, StatusCode};
use tidegate_event::VisitorId;
use tidegate_identity::clicks::{self, Sources};
use tidegate_identity::redirect;
use tidegate_identity::visitor::Found;

use super::collect::Answering;
use super::cookies;
use super::reply::{self, Reply};
use crate::journey::Identity;
use crate::journey::visit::Sender;

/// Where redirects are asked for.
pub(super) const PATH: &str = "/r";

impl Answering<'_> {
    pub(super) fn redirect(&self) -> Reply {
        if !matches!(self.head.method, Method::GET | Method::HEAD) {
            let mut reply = reply::failure(StatusCode::METHOD_NOT_ALLOWED, "a redirect is asked for with GET", "");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        let Some(route) = self.sites.of_host(&self.peer.host) else {
            let hint = "redirects are asked of a host in `hosts` of the site";
            return reply::failure(StatusCode::NOT_FOUND, "there is no site at this host", hint);
        };
        let site = &route.site;
        let query = self.head.uri.query().unwrap_or_default();
        let location = match redirect::location(query, &site.redirect_hosts, &site.click_aliases) {
            Ok(location) => location,
            Err(why) => {
                let hint = "write `to=` and a whole address, encoded, of a host in `redirect_hosts` of the site";
                return reply::failure(StatusCode::BAD_REQUEST, &format!("the redirect {why}"), hint);
            }
        };
        let Ok(location) = HeaderValue::try_from(&location) else {
            return reply::failure(StatusCode::BAD_REQUEST, "the redirect leads to no address", "");
        };
        let mut reply = reply::empty(StatusCode::FOUND);
        let headers = reply.headers_mut();
        headers.insert(LOCATION, location);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));

        let caller = self.caller(site);
        let visitor = match caller.found {
            Found::Visitor(signed) => signed.visitor,
            Found::Absent | Found::Forged => VisitorId(self.collector.new_id()),
        };
        let mut signals = self.signals(&caller, Sender::Browser);
        if let Some(region) = self.collector.region(caller.ip, site) {
            signals.region(region);
        }
        let consent = tidegate_consent::decide(&signals, &site.consent);
        let url = format!("/?{query}");
        let url = site.click_aliases.restore(&url);
        let theirs = cookies::platforms(&caller.jar);
        let sources = Sources { url: Some(&url), cookies: &theirs, ..Sources::default() };
        let clicks = clicks::gather(&sources, caller.now_ms);
        let told_at_ms = signals.told_at_ms(caller.now_ms);
        let identity = Identity { visitor, consent, told_at_ms, clicks, told: None };
        self.set_cookies(&caller, &identity, site, &mut reply);
        reply
    }
}
