//! What a consent level keeps back, from the store and from every plugin, whatever the plugin was granted.
//!
//! The domain's rule: `none` lets nothing leave, `analytics` only what is no identifier of a person or of an advertising
//! click, `marketing` everything. Whether an event reaches a destination at all is decided elsewhere, from its purposes.

use std::borrow::Cow;

use crate::{Client, Event, Kind, Level, Page, is_click_parameter};
use serde_json::{Map, Value};

/// What is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// All but the event's envelope.
    All,
    /// Identifiers, the user's id, click IDs, also where they are properties or in addresses; advertising cookies, the IP
    /// address.
    Personal,
    /// Nothing.
    Nothing,
}

/// Properties that hold what `user.…` and `click.…` hold, in lower-case without `_` and `-`. Clients put them anywhere.
#[rustfmt::skip]
const PERSONAL_PROPERTIES: &[&str] = &[
    "email", "emailaddress", "phone", "phonenumber", "mobile", "firstname", "lastname", "fullname", "dateofbirth",
    "birthday", "dob", "gender", "address", "street", "postalcode", "zip", "zipcode", "userid", "customerid",
    "externalid", "ip", "ipaddress",
];

/// Removes from an event what its own consent does not cover.
pub fn withhold(event: &mut Event) {
    let withheld = Withheld::at(event.consent.level);
    if withheld == Withheld::Nothing {
        return;
    }
    event.identifiers.clear();
    event.clicks.clear();
    event.cookies.retain(|name, _| withheld.lets_cookie(name));
    event.user_id = None;
    event.client.ip = None;
    if matches!(event.kind, Kind::Identify | Kind::Alias) {
        // All that these say is who somebody is: traits of any name, and another of the user's ids.
        event.properties.clear();
    }
    event.properties = withheld.strip_properties(&event.properties).into_owned();
    for item in &mut event.items {
        item.properties = withheld.strip_properties(&item.properties).into_owned();
    }
    for url in [&mut event.page.url, &mut event.page.referrer].into_iter().flatten() {
        *url = withheld.strip_url(std::mem::take(url));
    }
    if withheld == Withheld::All {
        // Counted, and no more: not even what was bought.
        event.anonymous_id = None;
        event.page = Page::default();
        event.client = Client::default();
        event.session = None;
        (event.value, event.currency, event.order_id) = (None, None, None);
        event.items.clear();
        event.properties.clear();
    }
}

impl Withheld {
    /// What a level keeps back.
    pub fn at(level: Level) -> Withheld {
        match level {
            Level::None => Withheld::All,
            Level::Analytics => Withheld::Personal,
            Level::Marketing => Withheld::Nothing,
        }
    }

    /// Whether a cookie is handed over: of the platforms' cookies only Google Analytics' measure without advertising.
    pub fn lets_cookie(self, name: &str) -> bool {
        match self {
            Withheld::All => false,
            Withheld::Personal => name == "_ga" || name.starts_with("_ga_"),
            Withheld::Nothing => true,
        }
    }

    /// Properties without those that identify by their name.
    pub fn strip_properties<'a>(self, properties: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        match self {
            Withheld::All | Withheld::Personal => Cow::Owned(without_personal(properties)),
            Withheld::Nothing => Cow::Borrowed(properties),
        }
    }

    /// An address without the click IDs in its query.
    pub fn strip_url(self, url: String) -> String {
        match self {
            Withheld::All | Withheld::Personal => without_clicks(&url).into_owned(),
            Withheld::Nothing => url,
        }
    }
}

fn is_personal(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    PERSONAL_PROPERTIES.contains(&plain.as_str()) || is_click_parameter(name)
}

/// The object without what is personal, on every level of it.
fn without_personal(object: &Map<String, Value>) -> Map<String, Value> {
    let kept = object.iter().filter(|(name, _)| !is_personal(name));
    kept.map(|(name, value)| (name.clone(), value_without_personal(value))).collect()
}

fn value_without_personal(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(without_personal(object)),
        Value::Array(list) => list.iter().map(value_without_personal).collect(),
        Value::String(text) if is_address(text) => Value::String(without_clicks(text).into_owned()),
        other => other.clone(),
    }
}

/// Whether a text is an address, or the end of one: it has a query or a fragment that is to be looked at.
pub fn is_address(text: &str) -> bool {
    let begins = text.contains("://") || text.starts_with(['/', '?', '#']);
    begins && !text.contains(char::is_whitespace)
}

fn without_clicks(url: &str) -> Cow<'_, str> {
    let (before, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let (address, query) = before.split_at(before.find('?').unwrap_or(before.len()));
    // A router's address stands in the fragment, with a query of its own; or the fragment is one.
    let at = fragment.find('?').unwrap_or(if fragment.contains('=') { 0 } else { fragment.len() });
    let (route, parameters) = fragment.split_at(at);
    let kept = [Cow::Borrowed(address), pairs(query), Cow::Borrowed(route), pairs(parameters)].concat();
    if kept == url { Cow::Borrowed(url) } else { Cow::Owned(kept) }
}

/// A mark and what follows it, without the pairs that are clicks; nothing where nothing is left.
fn pairs(marked: &str) -> Cow<'_, str> {
    let Some(mark) = marked.chars().next() else { return Cow::Borrowed("") };
    let is_click = |pair: &str| is_click_parameter(pair.split('=').next().unwrap_or(pair));
    let all = &marked[mark.len_utf8()..];
    if !all.split('&').any(is_click) {
        return Cow::Borrowed(marked);
    }
    let kept: Vec<&str> = all.split('&').filter(|pair| !is_click(pair)).collect();
    if kept.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!("{mark}{}", kept.join("&"))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(level: &str) -> Event {
        serde_json::from_value(json!({
            "id": "e", "name": "purchase", "kind": "track", "at_ms": 1, "received_ms": 2,
            "anonymous_id": "a", "user_id": "mary@example.com",
            "identifiers": { "email": "mary@example.com" },
            "clicks": [{ "kind": "fbclid", "value": "CLICK", "seen_ms": 1 }],
            "cookies": { "_fbp": "fb.1.1.1", "_ga": "GA1.1.1.1" },
            "page": { "url": "https://a/p?fbclid=CLICK&utm_source=x#f", "title": "T",
                "referrer": "https://a/#/landing?gclid=CLICK&x=stays" },
            "client": { "ip": "203.0.113.7", "user_agent": "UA" },
            "consent": { "level": level, "granted": [], "denied": [], "gpc": false, "limited_data_use": false,
                "signal": "event" },
            "value": 1.5, "currency": "EUR", "order_id": "o", "items": [{ "id": "i", "properties": { "email": "mary@example.com" } }],
            "properties": { "coupon": "W", "Email": "mary@example.com", "nested": { "first_name": "Mary", "size": 3 },
                "link_url": "https://b/?msclkid=CLICK&q=kept", "search": "?gclid=CLICK", "list": ["/p#gclid=CLICK"] },
        }))
        .unwrap()
    }

    fn withheld(level: &str) -> String {
        let mut event = event(level);
        withhold(&mut event);
        serde_json::to_string(&event).unwrap()
    }

    #[test]
    fn marketing_keeps_everything() {
        assert_eq!(withheld("marketing"), serde_json::to_string(&event("marketing")).unwrap());
    }

    #[test]
    fn analytics_keeps_what_was_done_and_not_by_whom() {
        let kept = withheld("analytics");
        for gone in ["mary@example.com", "Mary", "CLICK", "_fbp", "203.0.113.7"] {
            assert!(!kept.contains(gone), "{gone} in {kept}");
        }
        for stays in [
            "GA1.1.1.1",
            "utm_source=x#f",
            "#/landing?x=stays",
            "https://b/?q=kept",
            "[\"/p\"]",
            "UA",
            "1.5",
            "coupon",
            "size",
            "\"anonymous_id\":\"a\"",
        ] {
            assert!(kept.contains(stays), "{stays} in {kept}");
        }
    }

    #[test]
    fn analytics_keeps_no_trait_whatever_its_name() {
        let mut event = event("analytics");
        event.kind = Kind::Identify;
        withhold(&mut event);
        assert!(event.properties.is_empty());
    }

    #[test]
    fn none_keeps_that_it_happened() {
        let kept = withheld("none");
        for gone in ["mary", "CLICK", "GA1", "utm_source", "UA", "1.5", "coupon", "anonymous_id"] {
            assert!(!kept.contains(gone), "{gone} in {kept}");
        }
        assert!(kept.contains("purchase"));
    }
}
