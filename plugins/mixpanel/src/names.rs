//! What an event is to Mixpanel: an event by some names, or something about a person.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// Mixpanel has one name of its own, that of a page view ("SDKs, JavaScript, Tracking Page Views"); everything else is
/// called as the site calls it, and so canonical events by their canonical names.
const TABLE: &names::Table = &[
    (names::PAGE_VIEW, "$mp_web_page_view"),
    (names::SCREEN_VIEW, names::SCREEN_VIEW),
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
    ("view_promotion", "view_promotion"),
    ("select_promotion", "select_promotion"),
];

/// What an event is to Mixpanel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    /// One event for each name.
    Events(Vec<&'a str>),
    /// A person's ids and traits.
    Identify,
    /// A group's traits.
    Group,
    /// Another id of a person.
    Alias,
}

/// What to make of an event.
///
/// # Errors
/// A skip for what is switched off.
pub(crate) fn call<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Call<'a>, Rejection> {
    let name = event.canonical_name();
    let own = match event.kind {
        EventKind::Track | EventKind::Page | EventKind::Screen => None,
        EventKind::Identify => Some(Call::Identify),
        EventKind::Group => Some(Call::Group),
        EventKind::Alias => Some(Call::Alias),
    };
    let found = names::lookup(TABLE, &config.events, name);
    match (found, own) {
        (None, Some(call)) => Ok(call),
        (Some(found), _) if !found.is_empty() => Ok(Call::Events(found)),
        (None, None) if config.custom_events == CustomEvents::Send => Ok(Call::Events(vec![name])),
        _ => Err(Rejection::switched_off(name)),
    }
}

/// Whether an event is of the canonical vocabulary, where `value` is money and `price` is one.
pub(crate) fn is_canonical(name: &str) -> bool {
    TABLE.iter().any(|(canonical, _)| *canonical == name)
}
