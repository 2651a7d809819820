//! What was bought: `cartData`, for accounts that are linked to a Merchant Center.

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, Scalar, items, names};

use crate::config::Config;
use crate::properties::Properties;

/// `cartData`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CartData<'a> {
    merchant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_feed_label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_feed_language_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_discount: Option<Number>,
    items: Vec<CartItem<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CartItem<'a> {
    merchant_product_id: &'a str,
    /// An int64, which is text in the JSON of protocol buffers.
    quantity: String,
    unit_price: Number,
}

/// The cart of a purchase; nothing where an item has no id, no price or a broken quantity, because half a cart would be
/// taken for the whole.
pub(crate) fn collect<'a>(event: &'a Event, properties: &Properties<'_>, config: &'a Config) -> Option<CartData<'a>> {
    let merchant_id = config.merchant_id.as_deref()?;
    let currency = event.currency.as_deref()?;
    if event.name != names::PURCHASE || event.items.is_empty() {
        return None;
    }
    let items: Option<Vec<CartItem<'_>>> = event.items.iter().map(|item| cart_item(item, currency)).collect();
    let discount = properties.discount.as_ref().and_then(Scalar::number);
    Some(CartData {
        merchant_id,
        merchant_feed_label: config.merchant_feed_label.as_deref(),
        merchant_feed_language_code: config.merchant_feed_language_code.as_deref(),
        transaction_discount: discount.map(|discount| money::round(discount, currency)),
        items: items?,
    })
}

fn cart_item<'a>(item: &'a Item, currency: &str) -> Option<CartItem<'a>> {
    let quantity = items::quantity(item);
    let is_whole = quantity.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&quantity);
    let price = item.price.filter(|price| is_whole && price.is_finite())?;
    Some(CartItem {
        merchant_product_id: item.id.as_deref()?,
        quantity: (quantity as u32).to_string(),
        unit_price: money::round(price, currency),
    })
}
