//! Meta's names for an event: the configuration's, else the table's, else the event's own.

use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection, Text};

use crate::config::Config;

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

/// What an event is called at Meta: mostly one name, and then nothing is allocated for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Called<'a> {
    pub(crate) first: &'a str,
    more: &'a [Text<'a>],
}

impl<'a> Called<'a> {
    const fn one(name: &'a str) -> Called<'a> {
        Called { first: name, more: &[] }
    }

    /// The names that the configuration gives; nothing where each of them is empty.
    fn of(names: &'a [Text<'a>]) -> Option<Called<'a>> {
        let at = names.iter().position(|name| !name.is_empty())?;
        Some(Called { first: &names[at], more: &names[at + 1..] })
    }

    /// The names after the first.
    pub(crate) fn more(self) -> impl Iterator<Item = &'a str> {
        self.more.iter().map(|name| &**name).filter(|name| !name.is_empty())
    }
}

/// What the event is called at Meta.
///
/// # Errors
/// A skip for what is no conversion, or is switched off.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Called<'a>, Rejection> {
    let name = event.canonical_name();
    // No override is the rule, and then nothing is compared.
    if let Some((_, mapped)) = config.events.iter().find(|(known, _)| &***known == name) {
        return Called::of(mapped.as_slice()).ok_or_else(|| Rejection::switched_off(name));
    }
    match event.kind {
        EventKind::Track | EventKind::Page => {}
        EventKind::Screen => return Err(Rejection::skip("a screen of an app: Meta wants app_data for it")),
        EventKind::Identify | EventKind::Group | EventKind::Alias => {
            return Err(Rejection::skip("not a conversion: it only says who the visitor is"));
        }
    }
    match TABLE.iter().find(|(canonical, _)| *canonical == name) {
        Some((_, standard)) => Ok(Called::one(standard)),
        None if config.custom_events == CustomEvents::Drop => Err(Rejection::switched_off(name)),
        None => Ok(Called::one(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_borrowed_from_the_configuration_and_empty_ones_count_for_nothing() {
        let text = r#"{ "events": { "one": "Lead", "several": ["", "Lead", "", "Contact"], "off": "", "none": [] } }"#;
        let config: Config<'_> = serde_json::from_str(text).unwrap();
        let named = |name: &str| {
            let event = Event { name: name.into(), ..Event::example() };
            platform(&event, &config).map(|called| {
                assert!(text.as_bytes().as_ptr_range().contains(&called.first.as_ptr()), "{name} was copied");
                std::iter::once(called.first).chain(called.more()).map(str::to_owned).collect::<Vec<_>>()
            })
        };
        assert_eq!(named("one").unwrap(), ["Lead"]);
        assert_eq!(named("several").unwrap(), ["Lead", "Contact"]);
        assert_eq!(named("off"), Err(Rejection::switched_off("off")));
        assert_eq!(named("none"), Err(Rejection::switched_off("none")));
    }
}
