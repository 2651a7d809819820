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
    feed_country_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_language_code: Option<&'a str>,
    /// "Sum of all transaction level discounts".
    #[serde(skip_serializing_if = "Option::is_none")]
    local_transaction_cost: Option<Number>,
    items: Vec<CartItem<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CartItem<'a> {
    product_id: &'a str,
    quantity: u32,
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
        feed_country_code: config.feed_country_code.as_deref(),
        feed_language_code: config.feed_language_code.as_deref(),
        local_transaction_cost: discount.map(|discount| money::round(discount, currency)),
        items: items?,
    })
}

fn cart_item<'a>(item: &'a Item, currency: &str) -> Option<CartItem<'a>> {
    let quantity = items::quantity(item);
    let is_whole = quantity.fract() == 0.0 && (1.0..=f64::from(i32::MAX)).contains(&quantity);
    let price = item.price.filter(|price| is_whole && price.is_finite())?;
    Some(CartItem {
        product_id: item.id.as_deref()?,
        quantity: quantity as u32,
        unit_price: money::round(price, currency),
    })
}
