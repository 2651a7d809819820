//! The canonical names of events, which follow GA4, and their mapping to a platform's own.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A page was seen.
pub const PAGE_VIEW: &str = "page_view";
/// A product was looked at.
pub const VIEW_ITEM: &str = "view_item";
/// A list of products was looked at.
pub const VIEW_ITEM_LIST: &str = "view_item_list";
/// A product was put into the cart.
pub const ADD_TO_CART: &str = "add_to_cart";
/// The checkout was begun.
pub const BEGIN_CHECKOUT: &str = "begin_checkout";
/// A means of payment was given.
pub const ADD_PAYMENT_INFO: &str = "add_payment_info";
/// An order was placed.
pub const PURCHASE: &str = "purchase";
/// Somebody asked to be contacted.
pub const GENERATE_LEAD: &str = "generate_lead";
/// An account was made.
pub const SIGN_UP: &str = "sign_up";
/// The site was searched.
pub const SEARCH: &str = "search";
/// A product was put onto the wish list.
pub const ADD_TO_WISHLIST: &str = "add_to_wishlist";
/// A way of shipping was chosen.
pub const ADD_SHIPPING_INFO: &str = "add_shipping_info";
/// The cart was looked at.
pub const VIEW_CART: &str = "view_cart";
/// A product was taken out of the cart.
pub const REMOVE_FROM_CART: &str = "remove_from_cart";
/// An order, or a part of it, was given back.
pub const REFUND: &str = "refund";
/// Somebody signed in.
pub const LOGIN: &str = "login";
/// A product was chosen from a list.
pub const SELECT_ITEM: &str = "select_item";

/// A screen of an app was seen.
pub const SCREEN_VIEW: &str = "screen_view";

/// The names that everybody's events share: those above but for `screen_view`, which few platforms have.
pub const CANONICAL: &[&str] = &[
    PAGE_VIEW,
    VIEW_ITEM,
    VIEW_ITEM_LIST,
    SELECT_ITEM,
    ADD_TO_CART,
    REMOVE_FROM_CART,
    VIEW_CART,
    ADD_TO_WISHLIST,
    BEGIN_CHECKOUT,
    ADD_SHIPPING_INFO,
    ADD_PAYMENT_INFO,
    PURCHASE,
    REFUND,
    GENERATE_LEAD,
    SIGN_UP,
    LOGIN,
    SEARCH,
];

/// A plugin's mapping from canonical names to its platform's.
pub type Table = [(&'static str, &'static str)];

/// The overrides that a site gives in its configuration:
/// `events = { purchase = "Purchase", my_event = ["Lead", "Contact"], page_view = "" }`.
pub type Overrides = BTreeMap<String, Names>;

/// A platform's name for an event, or its names where the event is several to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One; an empty one switches the event off.
    One(String),
    /// Several, each of which is reported; none switches the event off.
    Several(Vec<String>),
}

impl Names {
    /// All of them, without the empty ones.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Several(names) => names.as_slice(),
        };
        names.iter().map(String::as_str).filter(|name| !name.is_empty())
    }
}

/// What a site says is to be done with events that the platform, or its table here, has no name for: `custom_events`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomEvents {
    /// Send them under their own names.
    #[default]
    Send,
    /// Leave them out.
    Drop,
}

/// The platform's names for an event: the override's, or else the table's. `None` where neither knows the event; an
/// empty list where it is switched off.
pub fn lookup<'a>(table: &Table, overrides: &'a Overrides, name: &str) -> Option<Vec<&'a str>> {
    match overrides.get(name) {
        Some(names) => Some(names.iter().collect()),
        None => table.iter().find(|(canonical, _)| *canonical == name).map(|(_, mapped)| vec![*mapped]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_replaces_extends_or_switches_off() {
        let table = [(PURCHASE, "Purchase"), (PAGE_VIEW, "PageView")];
        let text = r#"{ "purchase": "Subscribe", "my_event": ["Lead", "Contact"], "page_view": "", "search": [] }"#;
        let overrides: Overrides = serde_json::from_str(text).unwrap();
        assert_eq!(lookup(&table, &Overrides::new(), PURCHASE), Some(vec!["Purchase"]));
        assert_eq!(lookup(&table, &overrides, PURCHASE), Some(vec!["Subscribe"]));
        assert_eq!(lookup(&table, &overrides, "my_event"), Some(vec!["Lead", "Contact"]));
        assert_eq!(lookup(&table, &overrides, PAGE_VIEW), Some(vec![]));
        assert_eq!(lookup(&table, &overrides, SEARCH), Some(vec![]));
        assert_eq!(lookup(&table, &overrides, "other"), None);
    }

    #[test]
    fn custom_events_are_sent_or_dropped() {
        assert_eq!(serde_json::from_str::<CustomEvents>(r#""drop""#).unwrap(), CustomEvents::Drop);
        assert_eq!(serde_json::from_str::<CustomEvents>(r#""send""#).unwrap(), CustomEvents::default());
    }
}
