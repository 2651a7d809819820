//! GA4's names for an event, and what names GA4 takes at all.
//!
//! Source: "Measurement Protocol reference", sections "Limitations", "Reserved event names" and "Reserved parameter names".

use std::borrow::Cow;

use tidegate_plugin_sdk::names::CustomEvents;
use tidegate_plugin_sdk::{Event, EventKind, Rejection};

use crate::config::Config;

/// The longest name of an event or a parameter.
pub(crate) const NAME_CHARS_MAX: usize = 40;

/// The events that GA4 knows ("Recommended events"); our canonical names are theirs.
#[rustfmt::skip]
const RECOMMENDED: &[&str] = &[
    "add_payment_info", "add_shipping_info", "add_to_cart", "add_to_wishlist", "begin_checkout", "close_convert_lead",
    "close_unconvert_lead", "disqualify_lead", "earn_virtual_currency", "generate_lead", "join_group", "level_end",
    "level_start", "level_up", "login", "page_view", "post_score", "purchase", "qualify_lead", "refund",
    "remove_from_cart", "screen_view", "search", "select_content", "select_item", "select_promotion", "share",
    "sign_up", "spend_virtual_currency", "tutorial_begin", "tutorial_complete", "unlock_achievement", "view_cart",
    "view_item", "view_item_list", "view_promotion", "working_lead",
];

/// Names that only Google's own tags and SDKs may send; GA4 drops them without a word.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "ad_activeview", "ad_click", "ad_exposure", "ad_query", "ad_reward", "adunit_exposure", "app_background",
    "app_clear_data", "app_exception", "app_install", "app_remove", "app_store_refund",
    "app_store_subscription_cancel", "app_store_subscription_convert", "app_store_subscription_renew", "app_update",
    "app_upgrade", "dynamic_link_app_open", "dynamic_link_app_update", "dynamic_link_first_open", "error",
    "firebase_campaign", "firebase_in_app_message_action", "firebase_in_app_message_dismiss",
    "firebase_in_app_message_impression", "first_open", "first_visit", "in_app_purchase", "notification_dismiss",
    "notification_foreground", "notification_open", "notification_receive", "notification_send", "os_update",
    "session_start", "user_engagement",
];
const RESERVED_PREFIXES: [&str; 5] = ["_", "firebase_", "ga_", "google_", "gtag."];

/// What the event is called at GA4. At least one name.
///
/// # Errors
/// A skip for what is no event of GA4's, or is switched off; invalid for a name that GA4 would drop.
pub(crate) fn platform<'a>(event: &'a Event, config: &'a Config<'_>) -> Result<Vec<Cow<'a, str>>, Rejection> {
    let sent = event.canonical_name();
    if let Some(mapped) = config.events.get(sent) {
        let names = mapped.iter().map(taken).collect::<Result<Vec<_>, _>>()?;
        return if names.is_empty() { Err(Rejection::switched_off(sent)) } else { Ok(names) };
    }
    if !matches!(event.kind, EventKind::Track | EventKind::Page | EventKind::Screen) {
        // A site identifies its visitors on every page: calling that a login would make the number of logins worthless.
        return Err(Rejection::skip("not an event: it only says who the visitor is"));
    }
    if config.custom_events == CustomEvents::Drop && !RECOMMENDED.contains(&sent) {
        return Err(Rejection::switched_off(sent));
    }
    Ok(vec![taken(sent)?])
}

/// The name as GA4 takes it.
fn taken(name: &str) -> Result<Cow<'_, str>, Rejection> {
    let cleaned = clean(name).ok_or_else(|| {
        Rejection::invalid(["`", name, "` has no letter a to z in it: give it a name in `events`"].concat())
    })?;
    if RESERVED.contains(&&*cleaned) || has_reserved_prefix(&cleaned) {
        return Err(Rejection::invalid(
            ["`", &*cleaned, "` is reserved by GA4: give it another name in `events`"].concat(),
        ));
    }
    Ok(cleaned)
}

/// A name as GA4 takes it: a letter, then letters, digits and underscores, at most 40. Nothing when no letter is left.
pub(crate) fn clean(name: &str) -> Option<Cow<'_, str>> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = name.find(|c: char| c.is_ascii_alphabetic() || c == '_')?;
    let name = &name[start..];
    if name.len() <= NAME_CHARS_MAX && name.chars().all(fits) {
        return name.contains(|c: char| c.is_ascii_alphabetic()).then_some(Cow::Borrowed(name));
    }
    let cleaned: String = name.chars().map(|c| if fits(c) { c } else { '_' }).take(NAME_CHARS_MAX).collect();
    cleaned.contains(|c: char| c.is_ascii_alphabetic()).then_some(Cow::Owned(cleaned))
}

/// Whether a name begins as only Google's own do.
pub(crate) fn has_reserved_prefix(name: &str) -> bool {
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_ga4_takes() {
        assert_eq!(clean("Order Refunded").as_deref(), Some("Order_Refunded"));
        assert_eq!(clean("2nd-visit").as_deref(), Some("nd_visit"));
        assert_eq!(clean("größe").as_deref(), Some("gr__e"));
        assert_eq!(clean(&"x".repeat(41)).map(|name| name.len()), Some(40));
        // The underscore stays, so that a reserved name is seen as one.
        assert_eq!(clean("_private").as_deref(), Some("_private"));
        for none in ["", "123", "日本", "___"] {
            assert_eq!(clean(none), None, "{none}");
        }
    }
}
