//! Where an event goes: `destinations`. Google knows conversions by ids that the operator made, so there is no table of
//! names: the configuration is the table.
//!
//! A request names the destinations of its own event only. Events of the same name are joined, and a mistaken id spoils
//! no others.

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection, names};

use crate::config::Config;

/// One entry of `destinations`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination<'a> {
    operating_account: Account<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_account: Option<Account<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linked_account: Option<Account<'a>>,
    product_destination_id: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account<'a> {
    account_type: &'a str,
    account_id: &'a str,
}

/// Where the configuration sends this event.
///
/// # Errors
/// A skip for an event that has no destination.
pub(crate) fn of<'a>(event: &'a Event, config: &'a Config) -> Result<Vec<Destination<'a>>, Rejection> {
    let name = event.canonical_name();
    if name == names::REFUND {
        // Sent as an event, its value would be added to what it takes back.
        return Err(Rejection::skip("a refund: this API takes no adjustments, the plugin google-ads does"));
    }
    let ids = names::lookup(&[], &config.events, name).unwrap_or_default();
    if ids.is_empty() {
        return Err(Rejection::skip(["no destination is configured for `", name, "`"].concat()));
    }
    let account = |account_type: &'a str, account_id: &'a str| Account { account_type, account_id };
    let other = |kind: &'a str, id: &'a Option<String>| id.as_deref().map(|id| account(kind, id));
    let destination = |product_destination_id| Destination {
        operating_account: account(&config.operating_account_type, &config.operating_account_id),
        login_account: other(&config.login_account_type, &config.login_account_id),
        linked_account: other(&config.linked_account_type, &config.linked_account_id),
        product_destination_id,
    };
    Ok(ids.into_iter().map(destination).collect())
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::EventKind;

    use super::*;

    fn of_kind(kind: EventKind, name: &str, events: &str) -> Result<usize, Rejection> {
        let config = Config { events: serde_json::from_str(events).unwrap(), ..Config::default() };
        of(&Event { kind, name: name.into(), ..Event::example() }, &config).map(|destinations| destinations.len())
    }

    #[test]
    fn any_kind_of_event_can_have_destinations() {
        assert_eq!(of_kind(EventKind::Page, "Home", r#"{"page_view":"1"}"#), Ok(1));
        assert_eq!(of_kind(EventKind::Identify, "x", r#"{"identify":["1","2"]}"#), Ok(2));
        assert!(matches!(of_kind(EventKind::Alias, "x", "{}"), Err(Rejection::Skip(_))));
    }

    #[test]
    fn a_refund_is_never_added() {
        assert!(matches!(of_kind(EventKind::Track, "refund", r#"{"refund":"1"}"#), Err(Rejection::Skip(_))));
    }
}
