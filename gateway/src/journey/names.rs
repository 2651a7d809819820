//! Event names: which canonical name stands for the ones that clients use. Canonical names follow GA4.

/// What a client may call an event, in lower case with underscores, and its canonical name.
const ALIASES: &[(&str, &str)] = &[
    ("cart_viewed", "view_cart"),
    ("checkout_started", "begin_checkout"),
    ("lead_generated", "generate_lead"),
    ("order_completed", "purchase"),
    ("order_refunded", "refund"),
    ("page_viewed", "page_view"),
    ("payment_info_entered", "add_payment_info"),
    ("product_added", "add_to_cart"),
    ("product_added_to_wishlist", "add_to_wishlist"),
    ("product_list_viewed", "view_item_list"),
    ("product_removed", "remove_from_cart"),
    ("product_viewed", "view_item"),
    ("products_searched", "search"),
    ("promotion_clicked", "select_promotion"),
    ("promotion_viewed", "view_promotion"),
    ("purchase_completed", "purchase"),
    ("shipping_info_entered", "add_shipping_info"),
    ("signed_in", "login"),
    ("signed_up", "sign_up"),
];

/// Names that are canonical already, however they are written.
const CANONICAL: &[&str] = &[
    CONSENT_UPDATED,
    "add_payment_info",
    "add_shipping_info",
    "add_to_cart",
    "add_to_wishlist",
    "begin_checkout",
    "generate_lead",
    "login",
    "page_view",
    "purchase",
    "refund",
    "remove_from_cart",
    "screen_view",
    "search",
    "select_item",
    "select_promotion",
    "sign_up",
    "view_cart",
    "view_item",
    "view_item_list",
    "view_promotion",
];

/// What tells the gateway of a visitor's consent, and no platform.
const CONSENT_UPDATED: &str = "consent_updated";

/// Whether an event is for the gateway alone.
pub(super) fn is_signal(name: &str) -> bool {
    name == CONSENT_UPDATED
}

/// The canonical name for a name as it was sent; a name that is none of ours stays as it is.
pub(super) fn canonical(sent: &str) -> String {
    let folded: String =
        sent.trim().chars().map(|c| if c == ' ' || c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
    if let Some((_, canonical)) = ALIASES.iter().find(|(alias, _)| *alias == folded) {
        return (*canonical).to_owned();
    }
    if CANONICAL.contains(&folded.as_str()) { folded } else { sent.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_and_our_own_become_canonical() {
        assert_eq!(canonical("Order Completed"), "purchase");
        assert_eq!(canonical("purchase_completed"), "purchase");
        assert_eq!(canonical("Product Added to Wishlist"), "add_to_wishlist");
        assert_eq!(canonical("Add To Cart"), "add_to_cart");
    }

    #[test]
    fn other_names_keep_their_form() {
        assert_eq!(canonical("Trial Started"), "Trial Started");
    }
}
