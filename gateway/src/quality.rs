//! Match quality: how much of what a platform finds people and conversions by an event brings, and what is missing.
//!
//! A platform takes events that it can make nothing of; delivered is not the same as usable. Owns the score and its
//! counting. What the platform goes by is data, `[[quality]]` in its plugin's manifest.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_plugin_sdk::manifest::{Manifest, Quality};
use tidegate_sandbox::contract;

/// What a platform goes by.
#[derive(Debug, Clone)]
pub struct Profile(Vec<Quality>);

/// What one event brings of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// From 0 to 100: the worth of what is there, of the worth of all that matters for such an event.
    pub percent: u8,
    /// What is not there, most worth first.
    pub missing: Vec<String>,
}

/// The scores of a destination's events since the start.
#[derive(Debug)]
pub struct Meter {
    profile: Profile,
    events: AtomicU64,
    percents: AtomicU64,
    /// How many events lacked each, in the profile's order.
    missing: Vec<AtomicU64>,
}

/// What a meter shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The mean of the events' scores, from 0 to 100.
    pub percent: u64,
    pub events: u64,
    /// What events lacked, and how many did; most first.
    pub missing: Vec<Missing>,
}

/// One thing that events lacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub name: String,
    pub events: u64,
}

impl Profile {
    /// The manifest's; nothing where it has none.
    pub fn of(manifest: &Manifest) -> Option<Profile> {
        let mut list = manifest.quality.clone();
        list.sort_by_key(|quality| std::cmp::Reverse(quality.worth));
        (!list.is_empty()).then_some(Profile(list))
    }

    /// The score of what a plugin saw.
    pub fn score(&self, saw: &contract::Event) -> Score {
        let (mut worth, mut there, mut missing) = (0, 0, Vec::new());
        for (_, quality, present) in self.each(saw) {
            worth += quality.worth;
            if present {
                there += quality.worth;
            } else {
                missing.push(quality.name.clone());
            }
        }
        Score { percent: percent(there, worth), missing }
    }

    /// What matters for the event, by its place in the profile, and whether it is there.
    fn each(&self, saw: &contract::Event) -> impl Iterator<Item = (usize, &Quality, bool)> {
        let matters = |quality: &Quality| quality.events.is_empty() || quality.events.contains(&saw.name);
        let list = self.0.iter().enumerate().filter(move |(_, quality)| matters(quality));
        let properties = Properties::default();
        list.map(move |(at, quality)| (at, quality, quality.any.iter().any(|field| has(saw, &properties, field))))
    }
}

impl Meter {
    /// One that has counted nothing.
    pub fn new(profile: Profile) -> Meter {
        let missing = profile.0.iter().map(|_| AtomicU64::new(0)).collect();
        Meter { profile, events: AtomicU64::new(0), percents: AtomicU64::new(0), missing }
    }

    /// What it goes by.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Counts an event.
    pub fn count(&self, saw: &contract::Event) {
        let (mut worth, mut there) = (0, 0);
        for (at, quality, present) in self.profile.each(saw) {
            worth += quality.worth;
            if present {
                there += quality.worth;
            } else if let Some(missing) = self.missing.get(at) {
                missing.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.events.fetch_add(1, Ordering::Relaxed);
        self.percents.fetch_add(percent(there, worth).into(), Ordering::Relaxed);
    }

    /// What was counted; nothing where no event has come.
    pub fn read(&self) -> Option<Reading> {
        let events = self.events.load(Ordering::Relaxed);
        let percent = self.percents.load(Ordering::Relaxed).checked_div(events)?;
        let counts = self.missing.iter().map(|count| count.load(Ordering::Relaxed));
        let named = self.profile.0.iter().zip(counts).filter(|(_, count)| *count > 0);
        let mut missing: Vec<Missing> =
            named.map(|(quality, events)| Missing { name: quality.name.clone(), events }).collect();
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.events));
        Some(Reading { percent, events, missing })
    }
}

/// An event for which nothing matters lacks nothing.
fn percent(there: u32, worth: u32) -> u8 {
    (there * 100).checked_div(worth).and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100)
}

/// An event's properties, read when the first of them is asked for.
type Properties = OnceCell<Map<String, Value>>;

/// Whether an event has a field, by the manifest's name for it; one that ends in `*` is any that begins like it.
fn has(saw: &contract::Event, properties: &Properties, field: &str) -> bool {
    let (family, name) = field.split_once('.').unwrap_or((field, ""));
    let fits = |known: &str| match name.strip_suffix('*') {
        Some(beginning) => known.starts_with(beginning),
        None => known == name,
    };
    let (page, client) = (saw.page.as_ref(), saw.client.as_ref());
    match (family, name) {
        ("session", _) => saw.session.is_some(),
        ("user", "anonymous_id") => saw.anonymous_id.is_some(),
        ("user", "id") => saw.user_id.is_some(),
        ("user", _) => saw.identifiers.iter().any(|identifier| fits(&identifier.key)),
        ("click", _) => saw.clicks.iter().any(|click| fits(&click.kind)),
        ("cookie", _) => saw.cookies.iter().any(|(known, _)| fits(known)),
        ("page", "url") => page.is_some_and(|page| page.url.is_some()),
        ("page", "title") => page.is_some_and(|page| page.title.is_some()),
        ("page", "referrer") => page.is_some_and(|page| page.referrer.is_some()),
        ("client", "ip") => client.is_some_and(|client| client.ip.is_some()),
        ("client", "user_agent") => client.is_some_and(|client| client.user_agent.is_some()),
        ("client", "locale") => client.is_some_and(|client| client.locale.is_some()),
        ("client", "region") => client.is_some_and(|client| client.region.is_some()),
        ("event", "value") => saw.value.is_some(),
        ("event", "currency") => saw.currency.is_some(),
        ("event", "order_id") => saw.order_id.is_some(),
        ("event", "items") => !saw.items.is_empty(),
        ("properties", _) => {
            let read = || serde_json::from_str(&saw.properties).unwrap_or_default();
            properties.get_or_init(read).keys().any(|known| fits(known))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MANIFEST: &str = r#"
name = "p"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "s"
purposes = ["analytics"]
[endpoints.events]
url = "https://p.example/events"
[reads]
"user.email" = { as = "sha256", why = "w" }
"click.fbclid" = { as = "plain", why = "w" }
"cookie._fb*" = { as = "plain", why = "w" }
"event.value" = { as = "plain", why = "w" }
"properties.*" = { as = "plain", why = "w" }
[[quality]]
name = "the value"
any = ["event.value"]
worth = 10
events = ["purchase"]
[[quality]]
name = "the click"
any = ["click.fbclid", "cookie._fbc"]
worth = 30
[[quality]]
name = "the address"
any = ["user.email", "properties.login"]
worth = 60
"#;

    fn meter() -> Meter {
        Meter::new(Profile::of(&Manifest::parse(MANIFEST).unwrap()).unwrap())
    }

    fn event(change: serde_json::Value) -> contract::Event {
        let sdk = tidegate_plugin_sdk::Event::example();
        let mut whole = serde_json::to_value(sdk).unwrap();
        whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn an_event_is_worth_what_it_brings_of_what_matters_for_it() {
        let meter = meter();
        let score = |change| meter.profile().score(&event(change));
        let none = score(json!({}));
        assert_eq!((none.percent, none.missing.join(", ").as_str()), (0, "the address, the click, the value"));
        let email = json!([{ "key": "email", "value": "62a1" }]);
        assert_eq!(score(json!({ "identifiers": email, "value": 1.0 })).percent, 70);
        let cookie = score(json!({ "name": "page_view", "cookies": [["_fbc", "fb.1"]] }));
        assert_eq!((cookie.percent, cookie.missing), (33, vec!["the address".to_owned()]));
        let all = score(json!({ "name": "lead", "cookies": [["_fbc", "fb.1"]], "properties": "{\"login\":\"a\"}" }));
        assert_eq!((all.percent, all.missing), (100, Vec::new()));
    }

    #[test]
    fn a_meter_tells_the_mean_and_what_is_missing_most() {
        let meter = meter();
        assert_eq!(meter.read(), None);
        meter.count(&event(json!({ "value": 1.0, "identifiers": [{ "key": "email", "value": "62a1" }] })));
        meter.count(&event(json!({ "name": "page_view" })));
        let reading = meter.read().unwrap();
        assert_eq!((reading.percent, reading.events), (35, 2));
        let missing: Vec<_> = reading.missing.iter().map(|one| (one.name.as_str(), one.events)).collect();
        assert_eq!(missing, [("the click", 2), ("the address", 1)]);
    }
}
