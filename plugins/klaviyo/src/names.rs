//! Klaviyo's metric for an event: the configuration's, else the table's, else the event's own name.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// A product of an order, beside the order itself.
pub(crate) const ORDERED_PRODUCT: &str = "Ordered Product";

/// Metrics as "Integrate an ecommerce platform without a pre-built Klaviyo integration" calls them: Active on Site, Viewed
/// Product, Added to Cart, Started Checkout, Placed Order, Refunded Order. Klaviyo has no name for the others, and these
/// are in its manner.
const TABLE: &names::Table = &[
    (names::PURCHASE, "Placed Order"),
    (names::PAGE_VIEW, "Active on Site"),
    (names::VIEW_ITEM, "Viewed Product"),
    (names::ADD_TO_CART, "Added to Cart"),
    (names::BEGIN_CHECKOUT, "Started Checkout"),
    (names::REFUND, "Refunded Order"),
    (names::SCREEN_VIEW, "Viewed Screen"),
    (names::VIEW_ITEM_LIST, "Viewed Category"),
    (names::SELECT_ITEM, "Selected Product"),
    (names::REMOVE_FROM_CART, "Removed from Cart"),
    (names::VIEW_CART, "Viewed Cart"),
    (names::ADD_TO_WISHLIST, "Added to Wishlist"),
    (names::ADD_SHIPPING_INFO, "Added Shipping Info"),
    (names::ADD_PAYMENT_INFO, "Added Payment Info"),
    (names::GENERATE_LEAD, "Generated Lead"),
    (names::SIGN_UP, "Created Account"),
    (names::LOGIN, "Logged In"),
    (names::SEARCH, "Searched Site"),
    ("select_promotion", "Clicked Promotion"),
    ("view_promotion", "Viewed Promotion"),
];

/// "Must be less than 128 characters."
const METRIC_CHARS_MAX: usize = 127;

/// The metrics that an event is recorded under; none for an identify call, which is about a profile.
///
/// # Errors
/// A skip for what is switched off or none of Klaviyo's business; invalid for a name that Klaviyo would refuse.
pub(crate) fn metrics<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    let found = match names::lookup(TABLE, &config.events, name) {
        Some(found) if found.is_empty() => return Err(Rejection::switched_off(name)),
        Some(found) => found,
        None => match event.kind {
            EventKind::Identify => Vec::new(),
            EventKind::Group => return Err(Rejection::skip("Klaviyo has profiles of people, and no groups")),
            EventKind::Alias => return Err(Rejection::skip("Klaviyo merges profiles by itself")),
            _ if config.custom_events == CustomEvents::Drop => return Err(Rejection::switched_off(name)),
            _ => vec![name],
        },
    };
    if found.iter().any(|name| name.chars().count() > METRIC_CHARS_MAX) {
        return Err(Rejection::invalid("a name of 128 or more characters: Klaviyo takes none so long"));
    }
    Ok(found)
}
