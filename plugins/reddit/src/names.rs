//! Reddit's types for an event: the configuration's, else the table's, else CUSTOM under the event's own name.

use serde::Serialize;
use tidegate_plugin_sdk::names::{self, CustomEvents};
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// Reddit's types ("Supported conversion events"). Reddit has none for a checkout and its steps, a list of products, or
/// a refund; the list is nearest to what was looked at.
const TABLE: &names::Table = &[
    (names::PURCHASE, "PURCHASE"),
    (names::PAGE_VIEW, "PAGE_VISIT"),
    (names::VIEW_ITEM, "VIEW_CONTENT"),
    (names::VIEW_ITEM_LIST, "VIEW_CONTENT"),
    (names::ADD_TO_CART, "ADD_TO_CART"),
    (names::ADD_TO_WISHLIST, "ADD_TO_WISHLIST"),
    (names::GENERATE_LEAD, "LEAD"),
    (names::SIGN_UP, "SIGN_UP"),
    (names::SEARCH, "SEARCH"),
];
const CUSTOM: &str = "CUSTOM";
/// Reddit's longest name for a custom event.
const NAME_CHARS_MAX: usize = 64;

/// `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Kind<'a> {
    pub(crate) tracking_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_event_name: Option<&'a str>,
}

impl<'a> Kind<'a> {
    /// One of Reddit's types, or a custom event with this name.
    fn named(name: &'a str) -> Kind<'a> {
        match TABLE.iter().find(|(_, tracking_type)| *tracking_type == name) {
            Some((_, tracking_type)) => Kind { tracking_type, custom_event_name: None },
            None => Kind { tracking_type: CUSTOM, custom_event_name: Some(name) },
        }
    }

    /// Whether Reddit takes what the conversion is worth, which it does not for a page, a view and a search.
    pub(crate) fn has_value(self) -> bool {
        !matches!(self.tracking_type, "PAGE_VISIT" | "VIEW_CONTENT" | "SEARCH")
    }

    /// Whether Reddit takes a number of items, which a lead and a registration have not either.
    pub(crate) fn has_item_count(self) -> bool {
        self.has_value() && !matches!(self.tracking_type, "LEAD" | "SIGN_UP")
    }
}

/// What the event is called at Reddit; one for each conversion that it is.
///
/// # Errors
/// A skip for what is no conversion, or is switched off; a refusal of a custom name that is too long.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config) -> Result<Vec<Kind<'a>>, Rejection> {
    let name = event.canonical_name();
    let mapped = match names::lookup(TABLE, &config.events, name) {
        Some(mapped) if mapped.is_empty() => return Err(Rejection::switched_off(name)),
        Some(mapped) => mapped,
        None => vec![own_name(event, config)?],
    };
    let kinds: Vec<Kind<'a>> = mapped.into_iter().map(Kind::named).collect();
    let is_too_long = |kind: &Kind<'_>| kind.custom_event_name.is_some_and(|n| n.chars().count() > NAME_CHARS_MAX);
    if kinds.iter().any(is_too_long) {
        return Err(Rejection::invalid("custom event with a name of more than 64 characters"));
    }
    Ok(kinds)
}

/// The name of a custom event.
fn own_name<'a>(event: &'a Event, config: &Config) -> Result<&'a str, Rejection> {
    match event.kind {
        EventKind::Screen => Err(Rejection::skip("a screen of an app: Reddit wants the app's data for it")),
        EventKind::Identify | EventKind::Group | EventKind::Alias => {
            Err(Rejection::skip("not a conversion: it only says who the visitor is"))
        }
        _ if config.custom_events == CustomEvents::Drop => Err(Rejection::switched_off(&event.name)),
        _ if event.name.is_empty() => Err(Rejection::invalid("custom event without a name")),
        _ => Ok(&event.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_of_reddits_types_is_a_custom_event() {
        assert_eq!(Kind::named("LEAD"), Kind { tracking_type: "LEAD", custom_event_name: None });
        for name in ["lead", "CUSTOM", "begin_checkout"] {
            assert_eq!(Kind::named(name), Kind { tracking_type: "CUSTOM", custom_event_name: Some(name) });
        }
    }

    #[test]
    fn worth_and_number_go_where_reddit_takes_them() {
        let takes = |name| (Kind::named(name).has_value(), Kind::named(name).has_item_count());
        assert_eq!(takes("PAGE_VISIT"), (false, false));
        assert_eq!(takes("LEAD"), (true, false));
        assert_eq!(takes("PURCHASE"), (true, true));
        assert_eq!(takes("begin_checkout"), (true, true));
    }
}
