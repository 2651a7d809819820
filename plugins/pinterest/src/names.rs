//! Pinterest's names for an event: the configuration's, else the table's, else `custom` where that is wanted.

use tidegate_plugin_sdk::{Event, EventKind, Rejection, names};

use crate::config::{Config, CustomEvents};

/// Pinterest's conversion events ("Conversion overview").
const TABLE: &names::Table = &[
    (names::PURCHASE, "checkout"),
    (names::PAGE_VIEW, "page_visit"),
    (names::VIEW_ITEM, "view_content"),
    (names::VIEW_ITEM_LIST, "view_category"),
    (names::ADD_TO_CART, "add_to_cart"),
    (names::ADD_TO_WISHLIST, "add_to_wishlist"),
    (names::BEGIN_CHECKOUT, "initiate_checkout"),
    (names::ADD_PAYMENT_INFO, "add_payment_info"),
    (names::GENERATE_LEAD, "lead"),
    (names::SIGN_UP, "signup"),
    (names::SEARCH, "search"),
];

/// "custom": the one event for everything that has no name of its own.
const CUSTOM: &str = "custom";

/// What the event is called at Pinterest; one name for each conversion that it is.
///
/// # Errors
/// A skip for what is no conversion, has no name, or is switched off.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    match names::lookup(TABLE, &config.events, name) {
        Some(mapped) if mapped.is_empty() => {
            return Err(Rejection::switched_off(name));
        }
        Some(mapped) => return Ok(mapped),
        None => {}
    }
    match event.kind {
        EventKind::Screen => Err(Rejection::skip("a screen of an app: Pinterest wants the app's data for it")),
        EventKind::Identify | EventKind::Group | EventKind::Alias => {
            Err(Rejection::skip("not a conversion: it only says who the visitor is"))
        }
        // Pinterest would count it as a conversion, and takes none back.
        _ if name == names::REFUND => Err(Rejection::skip("a refund: Pinterest has no event for it")),
        _ if config.custom_events == CustomEvents::Send => Ok(vec![CUSTOM]),
        _ => Err(Rejection::skip(["Pinterest has no event for `", name, "`: name one in `events`"].concat())),
    }
}
