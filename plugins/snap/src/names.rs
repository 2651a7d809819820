//! Snap's names for an event: the configuration's, else the table's, else the event's own where that is wanted.

use tidegate_plugin_sdk::{Event, EventKind, Rejection, names};

use crate::config::{Config, CustomEvents};

/// Snap's event types ("Parameters, Server Data"). A lead has none of its own: it is one of the five that a site may
/// give a meaning to.
const TABLE: &names::Table = &[
    (names::PURCHASE, "PURCHASE"),
    (names::PAGE_VIEW, "PAGE_VIEW"),
    (names::VIEW_ITEM, "VIEW_CONTENT"),
    (names::VIEW_ITEM_LIST, "LIST_VIEW"),
    (names::ADD_TO_CART, "ADD_CART"),
    (names::BEGIN_CHECKOUT, "START_CHECKOUT"),
    (names::ADD_PAYMENT_INFO, "ADD_BILLING"),
    (names::GENERATE_LEAD, "CUSTOM_EVENT_1"),
    (names::SIGN_UP, "SIGN_UP"),
    (names::LOGIN, "LOGIN"),
    (names::SEARCH, "SEARCH"),
    (names::ADD_TO_WISHLIST, "ADD_TO_WISHLIST"),
];

/// What the event is called at Snap; at least one name.
///
/// # Errors
/// A skip for what is no conversion, has no name of Snap's, or is switched off.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    match names::lookup(TABLE, &config.events, name) {
        Some(names) if names.is_empty() => Err(Rejection::switched_off(name)),
        Some(names) => Ok(names),
        None => match event.kind {
            EventKind::Track | EventKind::Page if config.custom_events == CustomEvents::Send => Ok(vec![name]),
            EventKind::Track | EventKind::Page => Err(Rejection::skip(
                ["Snap has no name for `", name, "`: give it one in `events`, such as CUSTOM_EVENT_2"].concat(),
            )),
            EventKind::Screen => Err(Rejection::skip("a screen of an app: Snap wants app_data for it")),
            EventKind::Identify | EventKind::Group | EventKind::Alias => {
                Err(Rejection::skip("not a conversion: it only says who the visitor is"))
            }
        },
    }
}

/// Whether only the site knows what the name means.
pub(crate) fn is_custom(platform: &str) -> bool {
    platform.starts_with("CUSTOM_EVENT_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, config: &str) -> Result<Vec<String>, Rejection> {
        let config: Config<'_> = serde_json::from_str(config).unwrap();
        let event = Event { name: name.into(), ..Event::example() };
        platform(&event, &config).map(|names| names.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn what_snap_has_no_name_for_is_left_out_and_never_a_purchase() {
        for name in [names::REFUND, names::VIEW_CART, names::REMOVE_FROM_CART, names::SELECT_ITEM, "quote"] {
            assert!(matches!(named(name, "{}"), Err(Rejection::Skip(_))), "{name}");
            assert_eq!(named(name, r#"{"custom_events":"send"}"#), Ok(vec![name.to_owned()]));
        }
    }

    #[test]
    fn the_configuration_goes_before_the_table() {
        let config = r#"{"events":{"generate_lead":["SIGN_UP","CUSTOM_EVENT_3"],"login":""}}"#;
        assert_eq!(named(names::GENERATE_LEAD, config), Ok(vec!["SIGN_UP".to_owned(), "CUSTOM_EVENT_3".to_owned()]));
        assert!(matches!(named(names::LOGIN, config), Err(Rejection::Skip(_))));
        assert_eq!(named(names::PURCHASE, config), Ok(vec!["PURCHASE".to_owned()]));
    }
}
