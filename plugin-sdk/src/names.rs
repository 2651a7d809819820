//! The canonical names of events, which follow GA4, and their mapping to a platform's own.

use std::collections::BTreeMap;

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

/// A plugin's mapping from canonical names to its platform's.
pub type Table = [(&'static str, &'static str)];

/// The overrides that a site gives in its configuration: `events = { purchase = "Purchase", my_event = "Lead" }`.
pub type Overrides = BTreeMap<String, String>;

/// The platform's name for an event: the override, or else the table's. An empty override switches an event off.
pub fn lookup<'a>(table: &Table, overrides: &'a Overrides, name: &str) -> Option<&'a str> {
    match overrides.get(name) {
        Some(mapped) => Some(mapped.as_str()).filter(|mapped| !mapped.is_empty()),
        None => table.iter().find(|(canonical, _)| *canonical == name).map(|(_, mapped)| *mapped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_replaces_extends_or_switches_off() {
        let table = [(PURCHASE, "Purchase"), (PAGE_VIEW, "PageView")];
        let overrides = Overrides::from([
            ("purchase".into(), "Subscribe".into()),
            ("my_event".into(), "Lead".into()),
            ("page_view".into(), String::new()),
        ]);
        assert_eq!(lookup(&table, &Overrides::new(), PURCHASE), Some("Purchase"));
        assert_eq!(lookup(&table, &overrides, PURCHASE), Some("Subscribe"));
        assert_eq!(lookup(&table, &overrides, "my_event"), Some("Lead"));
        assert_eq!(lookup(&table, &overrides, PAGE_VIEW), None);
        assert_eq!(lookup(&table, &overrides, "other"), None);
    }
}
