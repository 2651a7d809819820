// Event names: which are e-commerce at Google, and what they are called at Meta. The gateway's own tables are
// gateway/src/journey/names.rs and plugins/meta-capi/src/names.rs; both sides must agree for Meta to count once.

/** GA4's names that are taken from the data layer. */
export const FROM_LAYER =
  "add_payment_info add_shipping_info add_to_cart add_to_wishlist begin_checkout generate_lead login purchase refund remove_from_cart search select_item select_promotion sign_up view_cart view_item view_item_list view_promotion".split(
    " ",
  );

/** Meta's standard events, and the names that the gateway takes for them. */
const META = {
  Purchase: "purchase order_completed purchase_completed",
  PageView: "page_view page_viewed",
  ViewContent: "view_item product_viewed view_item_list product_list_viewed",
  AddToCart: "add_to_cart product_added",
  InitiateCheckout: "begin_checkout checkout_started",
  AddPaymentInfo: "add_payment_info payment_info_entered",
  Lead: "generate_lead lead_generated",
  CompleteRegistration: "sign_up signed_up",
  Search: "search products_searched",
  AddToWishlist: "add_to_wishlist product_added_to_wishlist",
};

/** Meta's standard name for an event, if it has one. */
export function metaName(name) {
  const folded = name.trim().toLowerCase().replace(/[ -]/g, "_");
  return Object.keys(META).find((meta) => META[meta].split(" ").includes(folded));
}
