//! Which conversion actions an event is reported to. Google knows conversions by the ids of actions that the operator
//! made, so there is no table of names: the configuration is the table.

use tidegate_plugin_sdk::names::{self, Overrides};
use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::Config;

/// Where an event goes: ids of conversion actions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Targets<'a> {
    /// It is a conversion.
    Report {
        /// Imported as it is.
        conversions: Vec<&'a str>,
        /// Reported by Google's tag, and enhanced here.
        enhancements: Vec<&'a str>,
    },
    /// It takes conversions of these actions back.
    Refund(Vec<&'a str>),
}

/// Where the configuration sends this event.
///
/// # Errors
/// A skip for an event that has no conversion action.
pub(crate) fn of<'a>(event: &'a Event, config: &'a Config) -> Result<Targets<'a>, Rejection> {
    let name = event.canonical_name();
    let targets = match ids(&config.events, name) {
        Some(actions) if name == names::REFUND => Targets::Refund(actions),
        None if name == names::REFUND => Targets::Refund(of_purchase(config)),
        conversions => Targets::Report {
            conversions: conversions.unwrap_or_default(),
            enhancements: ids(&config.enhancements, name).unwrap_or_default(),
        },
    };
    let nothing = match &targets {
        Targets::Report { conversions, enhancements } => conversions.is_empty() && enhancements.is_empty(),
        Targets::Refund(actions) => actions.is_empty(),
    };
    if nothing {
        return Err(Rejection::skip(["no conversion action is configured for `", name, "`"].concat()));
    }
    Ok(targets)
}

/// A refund takes back what a purchase reported, however it was reported.
fn of_purchase(config: &Config) -> Vec<&str> {
    let mut actions = ids(&config.events, names::PURCHASE).unwrap_or_default();
    for action in ids(&config.enhancements, names::PURCHASE).unwrap_or_default() {
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    actions
}

fn ids<'a>(map: &'a Overrides, name: &str) -> Option<Vec<&'a str>> {
    names::lookup(&[], map, name)
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::EventKind;

    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).unwrap()
    }

    fn event(name: &str) -> Event {
        Event { name: name.into(), ..Event::example() }
    }

    #[test]
    fn a_refund_adjusts_what_a_purchase_reports() {
        let config = config(r#"{"events":{"purchase":["1","2"]},"enhancements":{"purchase":["2","3"]}}"#);
        assert_eq!(of(&event("refund"), &config), Ok(Targets::Refund(vec!["1", "2", "3"])));
    }

    #[test]
    fn a_refund_has_its_own_actions_or_is_switched_off() {
        let own = config(r#"{"events":{"purchase":"1","refund":"9"}}"#);
        assert_eq!(of(&event("refund"), &own), Ok(Targets::Refund(vec!["9"])));
        let off = config(r#"{"events":{"purchase":"1","refund":""}}"#);
        assert!(matches!(of(&event("refund"), &off), Err(Rejection::Skip(_))));
    }

    #[test]
    fn any_kind_of_event_can_be_a_conversion() {
        let config = config(r#"{"events":{"page_view":"1","identify":"2"}}"#);
        for (kind, action) in [(EventKind::Page, "1"), (EventKind::Identify, "2")] {
            let event = Event { kind, ..event("anything") };
            assert_eq!(of(&event, &config), Ok(Targets::Report { conversions: vec![action], enhancements: vec![] }));
        }
        assert!(matches!(of(&Event { kind: EventKind::Alias, ..event("x") }, &config), Err(Rejection::Skip(_))));
    }
}
