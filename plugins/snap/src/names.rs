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
    let name = match event.kind {
        EventKind::Track => event.name.as_str(),
        EventKind::Page => names::PAGE_VIEW,
        EventKind::Screen => "screen_view",
        EventKind::Identify => "identify",
        EventKind::Group => "group",
        EventKind::Alias => "alias",
    };
    match names::lookup(TABLE, &config.events, name) {
        Some(names) if names.is_empty() => {
            Err(Rejection::skip(["`", name, "` is switched off in the configuration"].concat()))
        }
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
