//! Identify: who an event is about, by what the client said, the visitor's cookie and the page's address.
//!
//! Adds what the request itself tells; what earlier events told is joined later, once consent is known.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_event::{ClickId, VisitorId, is_address};
use tidegate_identity::clicks::{self, Aliases, Sources};
use tidegate_identity::{platform, strip};

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

/// Identifies one draft of a visit. `aliases` are the site's own names for the platforms' parameters.
pub fn identify(mut draft: Draft, visit: &Visit, aliases: &Aliases) -> Identified {
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
    for url in [&mut draft.page.url, &mut draft.page.referrer].into_iter().flatten() {
        // The platforms' own names first, so that whatever reads the address later, or strips it, knows them.
        let stored = strip::strip(&aliases.restore(url)).into_owned();
        *url = stored;
    }
    let items = draft.items.iter_mut().map(|item| &mut item.properties);
    for value in items.chain([&mut draft.properties]).flat_map(|properties| properties.values_mut()) {
        strip_addresses(value, aliases);
    }
    let clicks = clicks_of(&draft, &cookies, visit);
    let anonymous_id = draft.anonymous_id.clone().or_else(|| visitor.map(|id| id.to_string()));
    Identified { draft, anonymous_id, visitor, clicks, cookies }
}

/// Addresses among the properties are stored as the page's own: a link that was followed may carry as much.
fn strip_addresses(value: &mut Value, aliases: &Aliases) {
    match value {
        Value::String(text) if is_address(text) => {
            let stored = strip::strip(&aliases.restore(text)).into_owned();
            *text = stored;
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strip_addresses(value, aliases)),
        Value::Object(object) => object.values_mut().for_each(|value| strip_addresses(value, aliases)),
        _ => {}
    }
}

fn platform_cookies(draft: &Draft, visit: &Visit) -> BTreeMap<String, String> {
    let sent = draft.cookies.iter().chain(match visit.sender {
        Sender::Browser => visit.cookies.as_slice(),
        Sender::Backend => &[],
    });
    sent.filter(|(name, value)| platform::is_known(name) && value.len() <= 1024).cloned().collect()
}

/// In the order of their weight; what the profile knows is joined later, once consent is known.
fn clicks_of(draft: &Draft, cookies: &BTreeMap<String, String>, visit: &Visit) -> Vec<ClickId> {
    let cookies: Vec<(String, String)> = cookies.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let page = &draft.page;
    let sources = Sources {
        named: &draft.clicks,
        url: page.url.as_deref(),
        referrer: page.referrer.as_deref(),
        cookies: &cookies,
        profile: &visit.clicks,
    };
    clicks::gather(&sources, visit.received_ms)
}
