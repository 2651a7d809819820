//! What an event is to PostHog: an event by some names, or something about a person or a group.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// PostHog's own names, with `$`, and those of its "Ecommerce events specification", which its destination templates
/// expect. What neither names keeps its canonical name.
const TABLE: &names::Table = &[
    (names::PAGE_VIEW, "$pageview"),
    (names::SCREEN_VIEW, "$screen"),
    (names::PURCHASE, "Order Completed"),
    (names::REFUND, "Order Refunded"),
    (names::VIEW_ITEM, "Product Viewed"),
    (names::VIEW_ITEM_LIST, "Product List Viewed"),
    (names::SELECT_ITEM, "Product Clicked"),
    (names::ADD_TO_CART, "Product Added"),
    (names::REMOVE_FROM_CART, "Product Removed"),
    (names::VIEW_CART, "Cart Viewed"),
    (names::ADD_TO_WISHLIST, "Product Added to Wishlist"),
    (names::BEGIN_CHECKOUT, "Checkout Started"),
    (names::ADD_PAYMENT_INFO, "Payment Info Entered"),
    (names::SEARCH, "Products Searched"),
    ("view_promotion", "Promotion Viewed"),
    ("select_promotion", "Promotion Clicked"),
    (names::ADD_SHIPPING_INFO, names::ADD_SHIPPING_INFO),
    (names::GENERATE_LEAD, names::GENERATE_LEAD),
    (names::SIGN_UP, names::SIGN_UP),
    (names::LOGIN, names::LOGIN),
];

/// What an event is to PostHog.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    /// One event for each name.
    Events(Vec<&'a str>),
    /// A person's ids and properties.
    Identify,
    /// A group's properties.
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
