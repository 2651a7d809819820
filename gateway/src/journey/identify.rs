//! Identify: who an event is about, by what the client said, the visitor's cookie and the page's address.
//!
//! Adds what the request itself tells; what earlier events told is joined later, once consent is known.

use std::collections::BTreeMap;

use tidegate_event::{ClickId, VisitorId, clicks_merge};

use super::clicks;
use super::decode::Draft;
use super::visit::{Sender, Visit};

/// An event whose person is known as well as its own request tells.
#[derive(Debug)]
pub struct Identified {
    pub(super) draft: Draft,
    pub(super) anonymous_id: Option<String>,
    pub(super) visitor: Option<VisitorId>,
    pub(super) clicks: Vec<ClickId>,
    pub(super) cookies: BTreeMap<String, String>,
}

/// Identifies one draft of a visit.
pub fn identify(mut draft: Draft, visit: &Visit) -> Identified {
    let visitor = match visit.sender {
        Sender::Browser => Some(visit.visitor.unwrap_or(visit.visitor_new)),
        Sender::Backend => None,
    };
    if visit.sender == Sender::Browser {
        let client = &mut draft.client;
        client.ip = visit.ip.map(|ip| ip.to_string()).or_else(|| client.ip.take());
        client.user_agent = client.user_agent.take().or_else(|| visit.user_agent.clone());
        client.locale = client.locale.take().or_else(|| visit.locale.clone());
        draft.page.url = draft.page.url.take().or_else(|| visit.referrer.clone());
    }
    let cookies = platform_cookies(&draft, visit);
    let clicks = clicks_of(&draft, &cookies, visit);
    let anonymous_id = draft.anonymous_id.clone().or_else(|| visitor.map(|id| id.to_string()));
    Identified { draft, anonymous_id, visitor, clicks, cookies }
}

fn platform_cookies(draft: &Draft, visit: &Visit) -> BTreeMap<String, String> {
    let sent = draft.cookies.iter().chain(match visit.sender {
        Sender::Browser => visit.cookies.as_slice(),
        Sender::Backend => &[],
    });
    sent.filter(|(name, value)| clicks::is_platform_cookie(name) && value.len() <= 1024).cloned().collect()
}

/// In the order of their weight: named by the client, the page's address, its referrer, the cookies.
fn clicks_of(draft: &Draft, cookies: &BTreeMap<String, String>, visit: &Visit) -> Vec<ClickId> {
    let now_ms = visit.received_ms;
    let named = draft.clicks.iter().filter(|(_, value)| !value.is_empty() && value.len() <= 500);
    let mut found: Vec<ClickId> =
        named.map(|(kind, value)| ClickId { kind: kind.clone(), value: value.clone(), seen_ms: now_ms }).collect();
    for url in [&draft.page.url, &draft.page.referrer].into_iter().flatten() {
        clicks_merge(&mut found, clicks::in_url(url, now_ms));
    }
    clicks_merge(&mut found, cookies.iter().filter_map(|(name, value)| clicks::in_cookie(name, value, now_ms)));
    found.truncate(32);
    found
}
