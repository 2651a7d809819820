//! Consent: which level an event's visitor has reached, and the removal of everything that the level does not cover.
//!
//! From here on an event holds nothing that its consent forbids, so nothing later can store or send it. What each signal
//! says, and which of them decides, is [`tidegate_consent`]'s.

use std::net::IpAddr;

use tidegate_consent::cookie::Stored;
use tidegate_consent::{Geo, Region, Rules};
use tidegate_event::{Consent, Event, EventId, withhold};

use super::names;
use super::validate::Validated;
use super::visit::{Lasts, Visit};
use super::withdrawal::Withdrawing;

/// An event that holds what its visitor's consent covers, and no more.
#[derive(Debug, Clone)]
pub struct Consented {
    pub(super) event: Event,
    /// What our own consent cookie is to keep, if the visitor told us something with this event.
    pub(super) told: Option<Stored>,
    /// Who takes something back with it, if anybody does.
    pub(super) withdrawing: Option<Withdrawing>,
    pub(super) now: Now,
    pub(super) lasts: Lasts,
}

/// What the browser's visitor allows now. An event that waited in the browser may be older than that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) consent: Consent,
    /// When the visitor last told us something, in Unix milliseconds.
    pub(super) told_at_ms: Option<u64>,
}

/// What consent is decided by.
#[derive(Debug, Clone, Copy)]
pub struct Deciding<'a> {
    pub rules: &'a Rules,
    /// Where addresses are, if there is a database.
    pub geo: Option<&'a Geo>,
}

/// Decides an event's consent and strips the event to it.
pub fn consent(validated: Validated, id: EventId, visit: &Visit, deciding: Deciding<'_>) -> Consented {
    let Validated { identified, at_ms } = validated;
    let mut draft = identified.draft;
    let name = names::canonical(&draft.name);
    let mut said = std::mem::take(&mut draft.consent);
    said.told_at(at_ms / 1000);
    let mut signals = visit.signals.clone().and(said);
    if let Some(region) = region(draft.client.ip.as_deref(), draft.client.region.as_deref(), deciding) {
        signals.region(region);
    }
    let mut event = Event {
        id,
        name_sent: (name != draft.name).then_some(draft.name),
        name,
        kind: draft.kind.unwrap_or(tidegate_event::Kind::Track),
        at_ms,
        received_ms: visit.received_ms,
        anonymous_id: identified.anonymous_id,
        user_id: draft.user_id,
        identifiers: draft.identifiers,
        clicks: identified.clicks,
        cookies: identified.cookies,
        page: draft.page,
        client: draft.client,
        session: draft.session,
        consent: tidegate_consent::decide(&signals, deciding.rules),
        value: draft.value,
        currency: draft.currency,
        order_id: draft.order_id,
        items: draft.items,
        properties: draft.properties,
    };
    let now = signals.from_now_on().map(|signals| tidegate_consent::decide(&signals, deciding.rules));
    // What has been told since was heard when it was told: an event that waited meanwhile takes nothing back.
    let withdrawing = Withdrawing::of(&event, visit).filter(|_| now.is_none());
    withhold(&mut event);
    let now = Now { consent: now.unwrap_or(event.consent), told_at_ms: signals.told_at_ms(at_ms) };
    let told = signals.cookie_to_write();
    // A client's own id is the client's to answer for.
    let is_days = visit.visitor.is_some_and(|visitor| event.anonymous_id.as_deref() == Some(&*visitor.to_string()));
    let lasts = if is_days { visit.lasts } else { Lasts::ForGood };
    Consented { event, told, withdrawing, now, lasts }
}

/// Where the visitor is: by the database, else as the client says. Nobody is looked up for a site without regions.
pub(crate) fn region(ip: Option<&str>, said: Option<&str>, deciding: Deciding<'_>) -> Option<Region> {
    if deciding.rules.regions.is_empty() {
        return None;
    }
    let address = ip.and_then(|ip| ip.parse::<IpAddr>().ok());
    let looked_up = deciding.geo.zip(address).and_then(|(geo, address)| geo.region(address));
    looked_up.or_else(|| said.and_then(Region::parse))
}

#[cfg(test)]
mod tests {
    use tidegate_event::Level;

    use super::*;

    #[test]
    fn a_region_that_the_client_says_counts_where_there_is_no_database() {
        let mut rules = Rules::default();
        let found = |rules: &Rules| region(Some("203.0.113.7"), Some("de-BY"), Deciding { rules, geo: None });
        assert_eq!(found(&rules), None);
        rules.regions.add("EEA", Level::None).unwrap();
        assert_eq!(found(&rules), Region::parse("DE-BY"));
    }
}
