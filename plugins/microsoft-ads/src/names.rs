//! What an event is to a UET tag: a page load, or custom events with an action for a name.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// `eventType` of a page that was loaded. Such an event has no name.
pub(crate) const PAGE_LOAD: &str = "pageLoad";

/// A custom event is whatever goal its action is named in, so that every canonical event keeps its own name, which is the
/// action that Microsoft's own tag suggests for it.
const TABLE: &names::Table = &[
    (names::PAGE_VIEW, PAGE_LOAD),
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
    (names::GENERATE_LEAD, names::GENERATE_LEAD),
    (names::SIGN_UP, names::SIGN_UP),
    (names::LOGIN, names::LOGIN),
    (names::SEARCH, names::SEARCH),
];

/// What the event is called: the configuration's names, else the table's, else its own. At least one.
///
/// # Errors
/// A skip for what is no conversion, or is switched off.
pub(crate) fn of<'a>(event: &'a Event, config: &'a Config) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    if let Some(mapped) = names::lookup(TABLE, &config.events, name) {
        return if mapped.is_empty() { Err(Rejection::switched_off(name)) } else { Ok(mapped) };
    }
    match event.kind {
        EventKind::Screen => Err(Rejection::skip("a screen of an app: it has no address, which a page load needs")),
        EventKind::Identify | EventKind::Group | EventKind::Alias => {
            Err(Rejection::skip("not a conversion: it only says who the visitor is"))
        }
        // Its value would count as revenue for a goal.
        _ if name == names::REFUND => {
            Err(Rejection::skip("a refund: Microsoft adjusts conversions by its Campaign Management API only"))
        }
        _ if config.custom_events == CustomEvents::Drop => Err(Rejection::switched_off(name)),
        _ => Ok(vec![name]),
    }
}
