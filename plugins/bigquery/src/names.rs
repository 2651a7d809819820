//! Which names an event is recorded under: its own, unless the configuration says others.

use serde::Deserialize;
use tidegate_plugin_sdk::names::{self, Overrides, Table};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

/// What to do with events whose name is not canonical.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomEvents {
    #[default]
    Send,
    Drop,
}

const SCREEN_VIEW: &str = "screen_view";
const IDENTIFY: &str = "identify";
const GROUP: &str = "group";
const ALIAS: &str = "alias";

/// The names that everybody's events share. A warehouse has no names of its own, so each stands for itself.
const CANONICAL: &Table = &[
    (names::PAGE_VIEW, names::PAGE_VIEW),
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
    (SCREEN_VIEW, SCREEN_VIEW),
    (IDENTIFY, IDENTIFY),
    (GROUP, GROUP),
    (ALIAS, ALIAS),
];

/// The event's names, at least one.
///
/// # Errors
/// A skip for what the configuration switches off.
pub(crate) fn of<'a>(
    event: &'a Event,
    overrides: &'a Overrides,
    custom: CustomEvents,
) -> Result<Vec<&'a str>, Rejection> {
    let own = match event.kind {
        EventKind::Track => event.name.as_str(),
        EventKind::Page => names::PAGE_VIEW,
        EventKind::Screen => SCREEN_VIEW,
        EventKind::Identify => IDENTIFY,
        EventKind::Group => GROUP,
        EventKind::Alias => ALIAS,
    };
    match (names::lookup(CANONICAL, overrides, own), custom) {
        (Some(names), _) if names.is_empty() => {
            Err(Rejection::skip(["`", own, "` is switched off in `events`"].concat()))
        }
        (Some(names), _) => Ok(names),
        (None, CustomEvents::Send) => Ok(vec![own]),
        (None, CustomEvents::Drop) => {
            Err(Rejection::skip(["`", own, "` is no canonical event, and `custom_events` is `drop`"].concat()))
        }
    }
}
