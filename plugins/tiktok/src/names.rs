//! TikTok's names for an event: the configuration's, else the table's, else the event's own.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// TikTok's standard events ("About supported standard events", with `Purchase` and `Lead` as they are called since May
/// 2025), and the page view of TikTok's own server-side tag, which the list does not have.
const TABLE: &names::Table = &[
    (names::PURCHASE, "Purchase"),
    (names::PAGE_VIEW, "Pageview"),
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

/// What the event is called at TikTok; at least one name.
///
/// # Errors
/// A skip for what is no conversion, or is switched off.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    match names::lookup(TABLE, &config.events, name) {
        Some(names) if names.is_empty() => Err(Rejection::switched_off(name)),
        Some(names) => Ok(names),
        None => match event.kind {
            EventKind::Track | EventKind::Page if config.custom_events == CustomEvents::Drop => {
                Err(Rejection::switched_off(name))
            }
            EventKind::Track | EventKind::Page => Ok(vec![name]),
            EventKind::Screen => Err(Rejection::skip("a screen of an app: TikTok wants an app's own data for it")),
            EventKind::Identify | EventKind::Group | EventKind::Alias => {
                Err(Rejection::skip("not a conversion: it only says who the visitor is"))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, config: &str) -> Result<Vec<String>, Rejection> {
        let config: Config<'_> = serde_json::from_str(config).unwrap();
        let event = Event { name: name.into(), ..Event::example() };
        platform(&event, &config).map(|names| names.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn what_tiktok_has_no_name_for_keeps_its_own_unless_that_is_not_wanted() {
        for name in [names::REFUND, names::VIEW_CART, names::REMOVE_FROM_CART, names::SELECT_ITEM, names::LOGIN] {
            assert_eq!(named(name, "{}"), Ok(vec![name.to_owned()]));
            assert!(matches!(named(name, r#"{"custom_events":"drop"}"#), Err(Rejection::Skip(_))), "{name}");
        }
    }

    #[test]
    fn the_configuration_goes_before_the_table() {
        let config = r#"{"events":{"generate_lead":["Lead","Contact"],"search":""}}"#;
        assert_eq!(named(names::GENERATE_LEAD, config), Ok(vec!["Lead".to_owned(), "Contact".to_owned()]));
        assert!(matches!(named(names::SEARCH, config), Err(Rejection::Skip(_))));
        assert_eq!(named(names::PURCHASE, config), Ok(vec!["Purchase".to_owned()]));
    }
}
