//! What an event is to Amplitude: events of a name, or what it says of a user or a group.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// Amplitude has no names of its own for what a shop does: a site chooses them, and these are the canonical ones. Pages
/// and screens are called as Amplitude's SDKs call them, because its ready-made reports look for these names.
const TABLE: &names::Table = &[
    (names::PAGE_VIEW, "[Amplitude] Page Viewed"),
    (names::SCREEN_VIEW, "[Amplitude] Screen Viewed"),
    (names::VIEW_ITEM, names::VIEW_ITEM),
    (names::VIEW_ITEM_LIST, names::VIEW_ITEM_LIST),
    (names::SELECT_ITEM, names::SELECT_ITEM),
    (names::ADD_TO_CART, names::ADD_TO_CART),
    (names::REMOVE_FROM_CART, names::REMOVE_FROM_CART),
    (names::VIEW_CART, names::VIEW_CART),
    (names::ADD_TO_WISHLIST, names::ADD_TO_WISHLIST),
    (names::BEGIN_CHECKOUT, names::BEGIN_CHECKOUT),
    (names::ADD_SHIPPING_INFO, names::ADD_SHIPPING_INFO),
    (names::ADD_PAYMENT_INFO, names::ADD_PAYMENT_INFO),
    (names::PURCHASE, names::PURCHASE),
    (names::REFUND, names::REFUND),
    (names::GENERATE_LEAD, names::GENERATE_LEAD),
    (names::SIGN_UP, names::SIGN_UP),
    (names::LOGIN, names::LOGIN),
    (names::SEARCH, names::SEARCH),
    ("select_promotion", "select_promotion"),
    ("view_promotion", "view_promotion"),
];

/// "The following event names are reserved for Amplitude use", and those that are no events.
const RESERVED: [&str; 8] = [
    "$groupidentify",
    "$identify",
    "[Amplitude] End Session",
    "[Amplitude] Merged User",
    "[Amplitude] Revenue",
    "[Amplitude] Revenue (Unverified)",
    "[Amplitude] Revenue (Verified)",
    "[Amplitude] Start Session",
];

/// What an event is to Amplitude.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// Events of these names; at least one.
    Events(Vec<&'a str>),
    /// What is known of a user.
    Identify,
    /// That a user belongs to a group, and what is known of the group.
    Group,
}

/// Finds out what the event is.
///
/// # Errors
/// A skip for what is switched off or none of Amplitude's business; invalid for a name that Amplitude keeps for itself.
pub(crate) fn meaning<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Meaning<'a>, Rejection> {
    let name = event.canonical_name();
    let found = match names::lookup(TABLE, &config.events, name) {
        Some(found) if found.is_empty() => return Err(Rejection::switched_off(name)),
        Some(found) => found,
        None => match event.kind {
            EventKind::Identify => return Ok(Meaning::Identify),
            EventKind::Group => return Ok(Meaning::Group),
            EventKind::Alias => {
                return Err(Rejection::skip(
                    "Amplitude joins a browser and a user by itself when it sees both in one event",
                ));
            }
            _ if config.custom_events == CustomEvents::Drop => return Err(Rejection::switched_off(name)),
            _ => vec![name],
        },
    };
    match found.iter().find(|name| RESERVED.contains(name)) {
        Some(reserved) => Err(Rejection::invalid(
            ["`", reserved, "` is reserved by Amplitude: give it another name in `events`"].concat(),
        )),
        None => Ok(Meaning::Events(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_refused_even_as_a_configured_name() {
        for reserved in RESERVED {
            let config = format!(r#"{{"events":{{"purchase":["Order",{}]}}}}"#, serde_json::json!(reserved));
            let config: Config<'_> = serde_json::from_str(&config).unwrap();
            assert!(matches!(meaning(&Event::example(), &config), Err(Rejection::Invalid(_))), "{reserved}");
        }
    }

    #[test]
    fn a_configured_name_makes_an_event_of_an_identify() {
        let config: Config<'_> = serde_json::from_str(r#"{"events":{"identify":"Recognised"}}"#).unwrap();
        let event = Event { kind: EventKind::Identify, name: "identify".into(), ..Event::example() };
        assert_eq!(meaning(&event, &config), Ok(Meaning::Events(vec!["Recognised"])));
    }
}
