//! Which of Segment's calls an event is, and what a track call is named.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// The events of "Spec: V2 Ecommerce Events" and "Spec: B2B SaaS" for the canonical names. The specification has no
/// name for a lead and for shipping; those here are formed like its others.
const TABLE: &names::Table = &[
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
    (names::ADD_SHIPPING_INFO, "Shipping Info Entered"),
    (names::ADD_PAYMENT_INFO, "Payment Info Entered"),
    (names::GENERATE_LEAD, "Lead Generated"),
    (names::SIGN_UP, "Signed Up"),
    (names::LOGIN, "Signed In"),
    (names::SEARCH, "Products Searched"),
    ("view_promotion", "Promotion Viewed"),
    ("select_promotion", "Promotion Clicked"),
];

/// One call of Segment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    /// With the event's name.
    Track(&'a str),
    Page,
    Screen,
    Identify,
    Group,
    Alias,
}

impl Call<'_> {
    /// Segment's `type`.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Call::Track(_) => "track",
            Call::Page => "page",
            Call::Screen => "screen",
            Call::Identify => "identify",
            Call::Group => "group",
            Call::Alias => "alias",
        }
    }
}

/// The calls that report an event: mostly one, several where the configuration says so.
///
/// # Errors
/// A skip for what is switched off.
pub(crate) fn calls<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Vec<Call<'a>>, Rejection> {
    let name = event.canonical_name();
    let own = match event.kind {
        EventKind::Identify => Some(Call::Identify),
        EventKind::Group => Some(Call::Group),
        EventKind::Alias => Some(Call::Alias),
        _ if name == names::PAGE_VIEW => Some(Call::Page),
        _ if name == names::SCREEN_VIEW => Some(Call::Screen),
        _ => None,
    };
    let found = match own {
        Some(call) if !config.events.contains_key(name) => return Ok(vec![call]),
        _ => names::lookup(TABLE, &config.events, name),
    };
    let calls: Vec<Call<'_>> = match found {
        Some(found) => found.into_iter().map(Call::Track).collect(),
        None if config.custom_events == CustomEvents::Send => vec![Call::Track(name)],
        None => Vec::new(),
    };
    if calls.is_empty() {
        return Err(Rejection::switched_off(name));
    }
    Ok(calls)
}

/// Whether an event is of the canonical vocabulary, where `value` is money and `price` is one.
pub(crate) fn is_canonical(name: &str) -> bool {
    TABLE.iter().any(|(canonical, _)| *canonical == name)
}
