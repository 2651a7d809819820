//! Consent: which level an event's visitor has reached, and the removal of everything that the level does not cover.
//!
//! From here on an event holds nothing that its consent forbids, so nothing later can store or send it.

use tidegate_event::{Consent, Event, EventId, Level, Signal, withhold};

use super::names;
use super::validate::Validated;
use super::visit::{Gpc, Visit};
use crate::config::ConsentRules;

/// An event that holds what its visitor's consent covers, and no more.
#[derive(Debug, Clone)]
pub struct Consented {
    pub(super) event: Event,
}

/// Decides an event's consent and strips the event to it.
pub fn consent(validated: Validated, id: EventId, visit: &Visit, rules: &ConsentRules) -> Consented {
    let Validated { identified, at_ms } = validated;
    let draft = identified.draft;
    let name = names::canonical(&draft.name);
    let mut consent = decide(draft.consent, &draft.consent_categories, visit.gpc, rules);
    consent.limited_data_use = draft.limited_data_use.is_some();
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
        consent,
        value: draft.value,
        currency: draft.currency,
        order_id: draft.order_id,
        items: draft.items,
        properties: draft.properties,
    };
    withhold(&mut event);
    Consented { event }
}

/// The most restrictive signal present wins; with none present, the site's default.
fn decide(own: Option<Level>, categories: &[(String, bool)], gpc: Gpc, rules: &ConsentRules) -> Consent {
    let mut signals: Vec<(Level, Signal)> = Vec::with_capacity(2);
    signals.extend(own.map(|level| (level, Signal::Event)));
    signals.extend(categories_level(categories, rules).map(|level| (level, Signal::SegmentCategories)));
    let (mut level, mut signal) =
        signals.into_iter().min_by_key(|(level, _)| *level).unwrap_or((rules.default, Signal::SiteDefault));
    if gpc == Gpc::On && level > Level::Analytics {
        (level, signal) = (Level::Analytics, Signal::GlobalPrivacyControl);
    }
    Consent { gpc: gpc == Gpc::On, ..Consent::at(level, signal) }
}

/// The highest level whose category is on. Preferences that name none of the configured categories say nothing.
fn categories_level(categories: &[(String, bool)], rules: &ConsentRules) -> Option<Level> {
    let known = categories.iter().filter_map(|(category, on)| {
        let (_, level) = rules.segment_categories.iter().find(|(name, _)| name.eq_ignore_ascii_case(category))?;
        Some(if *on { *level } else { Level::None })
    });
    known.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(default: Level) -> ConsentRules {
        let segment_categories =
            [("Analytics".to_owned(), Level::Analytics), ("Advertising".to_owned(), Level::Marketing)].into();
        ConsentRules { default, segment_categories }
    }

    fn categories(analytics: bool, advertising: bool) -> Vec<(String, bool)> {
        vec![("Analytics".into(), analytics), ("Advertising".into(), advertising)]
    }

    #[test]
    fn without_a_signal_the_sites_default_decides() {
        let consent = decide(None, &[], Gpc::Off, &rules(Level::Analytics));
        assert_eq!((consent.level, consent.signal), (Level::Analytics, Signal::SiteDefault));
    }

    #[test]
    fn the_most_restrictive_signal_wins() {
        let consent = decide(Some(Level::Marketing), &categories(true, false), Gpc::Off, &rules(Level::None));
        assert_eq!((consent.level, consent.signal), (Level::Analytics, Signal::SegmentCategories));
        let consent = decide(Some(Level::None), &categories(true, true), Gpc::Off, &rules(Level::Marketing));
        assert_eq!((consent.level, consent.signal), (Level::None, Signal::Event));
    }

    #[test]
    fn global_privacy_control_caps_at_analytics_and_raises_nothing() {
        let consent = decide(Some(Level::Marketing), &[], Gpc::On, &rules(Level::None));
        assert_eq!((consent.level, consent.signal), (Level::Analytics, Signal::GlobalPrivacyControl));
        assert_eq!(decide(Some(Level::None), &[], Gpc::On, &rules(Level::None)).level, Level::None);
    }

    #[test]
    fn categories_that_nobody_configured_say_nothing() {
        let unknown = [("Functional".to_owned(), true)];
        assert_eq!(decide(None, &unknown, Gpc::Off, &rules(Level::Analytics)).signal, Signal::SiteDefault);
        assert_eq!(decide(None, &categories(false, false), Gpc::Off, &rules(Level::Marketing)).level, Level::None);
    }
}
