//! Meta's name for an event: the configuration's, else the table's, else the event's own.

use tidegate_plugin_sdk::{Event, EventKind, Rejection, names};

use crate::config::{Config, CustomEvents};

/// Meta's standard events ("Meta Pixel: Reference, Standard events").
const TABLE: &names::Table = &[
    (names::PURCHASE, "Purchase"),
    (names::PAGE_VIEW, "PageView"),
    (names::VIEW_ITEM, "ViewContent"),
    (names::VIEW_ITEM_LIST, "ViewContent"),
    (names::ADD_TO_CART, "AddToCart"),
    (names::BEGIN_CHECKOUT, "InitiateCheckout"),
    (names::ADD_PAYMENT_INFO, "AddPaymentInfo"),
    (names::GENERATE_LEAD, "Lead"),
    (names::SIGN_UP, "CompleteRegistration"),
    (names::SEARCH, "Search"),
    (names::ADD_TO_WISHLIST, "AddToWishlist"),
];

/// What the event is called at Meta.
///
/// # Errors
/// A skip for what is no conversion, or is switched off.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<&'a str, Rejection> {
    let name = match event.kind {
        EventKind::Track => event.name.as_str(),
        EventKind::Page => names::PAGE_VIEW,
        EventKind::Screen => "screen_view",
        EventKind::Identify => "identify",
        EventKind::Group => "group",
        EventKind::Alias => "alias",
    };
    // No override is the rule, and then nothing is compared.
    if let Some((_, mapped)) = config.events.iter().find(|(known, _)| &***known == name) {
        return if mapped.is_empty() { Err(off(name)) } else { Ok(mapped) };
    }
    match event.kind {
        EventKind::Track | EventKind::Page => {}
        EventKind::Screen => return Err(Rejection::skip("a screen of an app: Meta wants app_data for it")),
        EventKind::Identify | EventKind::Group | EventKind::Alias => {
            return Err(Rejection::skip("not a conversion: it only says who the visitor is"));
        }
    }
    match TABLE.iter().find(|(canonical, _)| *canonical == name) {
        Some((_, standard)) => Ok(standard),
        None if config.custom_events == CustomEvents::Drop => Err(off(name)),
        None => Ok(name),
    }
}

fn off(name: &str) -> Rejection {
    Rejection::skip(["`", name, "` is switched off in the configuration"].concat())
}
