//! What an event says: `properties`, with products under the names that Klaviyo's templates look for.
//!
//! Source: "Integrate an ecommerce platform without a pre-built Klaviyo integration", the examples of Viewed Product, Added
//! to Cart, Started Checkout, Placed Order and Ordered Product.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{EventKind, Item, Scalar, items, json, names};

use crate::event::{Source, is};

/// An event's `properties`.
pub(crate) struct EventProperties<'a> {
    source: Source<'a>,
    /// The one product of an order that the event is about, instead of everything.
    product: Option<&'a Item>,
}

impl<'a> EventProperties<'a> {
    /// All that the event says.
    pub(crate) fn of(source: Source<'a>) -> EventProperties<'a> {
        EventProperties { source, product: None }
    }

    /// What is said of one product of an order.
    pub(crate) fn of_product(item: &'a Item, source: Source<'a>) -> EventProperties<'a> {
        EventProperties { source, product: Some(item) }
    }
}

/// Names that are written from the event itself; the site's own of these names give way.
#[rustfmt::skip]
const OWN: &[&str] = &[
    "Brand", "Brands", "Categories", "CheckoutURL", "ImageURL", "ItemNames", "Items", "OrderId", "Price", "ProductID",
    "ProductName", "Quantity", "SKU", "URL", "Variant", "limited_data_use", "page", "test",
];

impl Serialize for EventProperties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Source { event, ctx, .. } = self.source;
        let mut map = serializer.serialize_map(None)?;
        entry(&mut map, "OrderId", event.order_id.as_deref())?;
        let currency = event.currency.as_deref();
        match self.product {
            Some(item) => Product { item, currency }.fields(&mut map, &ALONE)?,
            None => whole(&mut map, self.source)?,
        }
        if event.consent.limited_data_use || event.consent.gpc {
            map.serialize_entry("limited_data_use", &true)?;
        }
        if ctx.test_mode {
            map.serialize_entry("test", &true)?;
        }
        map.end()
    }
}

fn whole<M: SerializeMap>(map: &mut M, source: Source<'_>) -> Result<(), M::Error> {
    let Source { event, properties, .. } = source;
    let currency = event.currency.as_deref();
    let mut says_all = event.items.is_empty();
    if let [item] = event.items.as_slice() {
        if is(event, names::VIEW_ITEM) {
            Product { item, currency }.fields(map, &ALONE)?;
            says_all = true;
        } else if is(event, names::ADD_TO_CART) {
            Product { item, currency }.fields(map, &ADDED)?;
        }
    }
    if !says_all {
        list(map, "ItemNames", event.items.iter().map(|item| item.name.as_deref()))?;
        list(map, "Categories", event.items.iter().map(|item| item.category.as_deref()))?;
        list(map, "Brands", event.items.iter().map(|item| item.brand.as_deref()))?;
        map.serialize_entry("Items", &Items { items: &event.items, currency })?;
    }
    let url = match event.kind {
        EventKind::Page => Some("page"),
        EventKind::Track => match event.name.as_str() {
            names::PAGE_VIEW => Some("page"),
            names::VIEW_ITEM | names::VIEW_ITEM_LIST => Some("URL"),
            names::BEGIN_CHECKOUT => Some("CheckoutURL"),
            _ => None,
        },
        _ => None,
    };
    if let Some(name) = url {
        entry(map, name, event.page_url())?;
    }
    for (name, value) in properties.iter().filter(|(name, _)| !OWN.contains(name)) {
        map.serialize_entry(name, value)?;
    }
    Ok(())
}

/// What is known of all products under one name, each once.
fn list<'a, M: SerializeMap>(
    map: &mut M,
    name: &str,
    values: impl Iterator<Item = Option<&'a str>>,
) -> Result<(), M::Error> {
    let mut known: Vec<&str> = Vec::new();
    for value in values.flatten().filter(|value| !value.is_empty()) {
        if !known.contains(&value) {
            known.push(value);
        }
    }
    if known.is_empty() { Ok(()) } else { map.serialize_entry(name, &known) }
}

/// `Items`.
struct Items<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(|item| Product { item, currency: self.currency }))
    }
}

/// What a product's fields are called, which differs by where they stand. An empty name leaves one out.
struct Names {
    id: &'static str,
    sku: &'static str,
    name: &'static str,
    brand: &'static str,
    categories: &'static str,
    variant: &'static str,
    price: &'static str,
    quantity: &'static str,
    row_total: &'static str,
    url: &'static str,
    image: &'static str,
}

/// An event about one product.
const ALONE: Names = Names {
    id: "ProductID",
    sku: "SKU",
    name: "ProductName",
    brand: "Brand",
    categories: "Categories",
    variant: "Variant",
    price: "Price",
    quantity: "Quantity",
    row_total: "",
    url: "ProductURL",
    image: "ImageURL",
};
/// What was put into the cart.
const ADDED: Names = Names {
    id: "AddedItemProductID",
    sku: "AddedItemSKU",
    name: "AddedItemProductName",
    brand: "AddedItemBrand",
    categories: "AddedItemCategories",
    variant: "AddedItemVariant",
    price: "AddedItemPrice",
    quantity: "AddedItemQuantity",
    row_total: "",
    url: "AddedItemURL",
    image: "AddedItemImageURL",
};
/// One of several.
const AMONG: Names = Names { price: "ItemPrice", row_total: "RowTotal", ..ALONE };

struct Product<'a> {
    item: &'a Item,
    currency: Option<&'a str>,
}

/// What Klaviyo knows of a product beyond what the contract types, under the names of Segment's specification.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct More<'a> {
    #[serde(borrow)]
    sku: Option<Scalar<'a>>,
    #[serde(borrow)]
    url: Option<Scalar<'a>>,
    #[serde(borrow)]
    image_url: Option<Scalar<'a>>,
}

impl Product<'_> {
    fn fields<M: SerializeMap>(&self, map: &mut M, names: &Names) -> Result<(), M::Error> {
        let item = self.item;
        let more: More<'_> = json::properties(&item.properties);
        let text = |value: &'_ Option<Scalar<'_>>| value.as_ref().and_then(Scalar::text).map(str::to_owned);
        entry(map, names.id, item.id.as_deref())?;
        entry(map, names.sku, text(&more.sku))?;
        entry(map, names.name, item.name.as_deref())?;
        entry(map, names.brand, item.brand.as_deref())?;
        entry(map, names.categories, item.category.as_deref().map(|category| [category]))?;
        entry(map, names.variant, item.variant.as_deref())?;
        let price = item.price.filter(|price| price.is_finite()).zip(self.currency);
        let quantity = items::quantity(item);
        entry(map, names.price, price.map(|(price, currency)| money::round(price, currency)))?;
        entry(map, names.quantity, item.quantity.map(|_| Number(quantity)))?;
        entry(map, names.row_total, price.map(|(price, currency)| money::round(price * quantity, currency)))?;
        entry(map, names.url, text(&more.url))?;
        entry(map, names.image, text(&more.image_url))
    }
}

impl Serialize for Product<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.fields(&mut map, &AMONG)?;
        map.end()
    }
}

fn entry<M: SerializeMap, T: Serialize>(map: &mut M, name: &str, value: Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) if !name.is_empty() => map.serialize_entry(name, &value),
        _ => Ok(()),
    }
}
