//! What an order earned, and a refund cost: `revenue`, or `price` and `quantity` by product.
//!
//! Source: "HTTP V2 API", the keys `price`, `quantity`, `revenue`, `productId` and `revenueType`: "If you send all 3
//! fields of price, quantity, and revenue, then the revenue value is (price x quantity). Use negative values for refunds."

use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, EventKind, Item, items, names};

use crate::config::{self, Config};

/// The revenue keys of an entry. Without an amount in a currency all are empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Revenue<'a> {
    pub(crate) price: Option<Number>,
    pub(crate) quantity: Option<u64>,
    pub(crate) revenue: Option<Number>,
    pub(crate) product_id: Option<&'a str>,
    pub(crate) revenue_type: Option<&'static str>,
    pub(crate) currency: Option<&'a str>,
}

/// One product that was sold, or given back.
#[derive(Debug, PartialEq)]
pub(crate) struct Sale<'a> {
    pub(crate) name: &'static str,
    pub(crate) item: &'a Item,
    pub(crate) revenue: Revenue<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sold,
    GivenBack,
}

impl Direction {
    fn of(event: &Event) -> Option<Direction> {
        match event.name.as_str() {
            _ if event.kind != EventKind::Track => None,
            names::PURCHASE => Some(Direction::Sold),
            names::REFUND => Some(Direction::GivenBack),
            _ => None,
        }
    }

    const fn revenue_type(self) -> &'static str {
        match self {
            Direction::Sold => "Purchase",
            Direction::GivenBack => "Refund",
        }
    }

    /// A refund is negative, however the shop writes it.
    fn signed(self, amount: f64) -> f64 {
        match self {
            Direction::Sold => amount,
            Direction::GivenBack => -amount.abs(),
        }
    }
}

/// What the event's own entry earns.
pub(crate) fn of_order<'a>(event: &'a Event, config: &Config<'_>) -> Revenue<'a> {
    let money = money::of(event).filter(|money| money.value.is_finite());
    let (Some(direction), Some(money)) = (Direction::of(event), money) else { return Revenue::default() };
    if is_by_product(event, config) {
        return Revenue::default();
    }
    let product_id = match event.items.as_slice() {
        [item] => item.id.as_deref(),
        _ => None,
    };
    Revenue {
        revenue: Some(money::round(direction.signed(money.value), money.currency)),
        product_id,
        revenue_type: Some(direction.revenue_type()),
        currency: Some(money.currency),
        ..Revenue::default()
    }
}

/// What each product of the event earns, where the configuration wants that.
pub(crate) fn by_product<'a>(event: &'a Event, config: &Config<'_>) -> Vec<Sale<'a>> {
    let (Some(direction), Some(currency)) = (Direction::of(event), event.currency.as_deref()) else {
        return Vec::new();
    };
    if !is_by_product(event, config) {
        return Vec::new();
    }
    event.items.iter().filter_map(|item| sale(item, direction, currency)).collect()
}

/// Whether the products carry the revenue. Where one has no price, the order does: a part of it would be lost otherwise.
fn is_by_product(event: &Event, config: &Config<'_>) -> bool {
    config.revenue == config::Revenue::Products
        && event.currency.is_some()
        && items::total(&event.items).is_some_and(f64::is_finite)
}

fn sale<'a>(item: &'a Item, direction: Direction, currency: &'a str) -> Option<Sale<'a>> {
    let (price, quantity) = (item.price?, items::quantity(item));
    let name = match direction {
        Direction::Sold => "Product Purchased",
        Direction::GivenBack => "Product Refunded",
    };
    let amount = |amount: f64| Some(money::round(direction.signed(amount), currency));
    let mut revenue = Revenue {
        product_id: item.id.as_deref(),
        revenue_type: Some(direction.revenue_type()),
        currency: Some(currency),
        ..Revenue::default()
    };
    if quantity.fract() == 0.0 {
        (revenue.price, revenue.quantity) = (amount(price), Some(quantity as u64));
    } else {
        // A quantity is an integer at Amplitude.
        revenue.revenue = amount(price * quantity);
    }
    Some(Sale { name, item, revenue })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(quantity: f64, price: Option<f64>) -> Item {
        Item {
            id: Some("sku".into()),
            name: None,
            quantity: Some(quantity),
            price,
            brand: None,
            category: None,
            variant: None,
            properties: "{}".into(),
        }
    }

    #[test]
    fn a_refund_is_negative_whichever_way_it_is_written() {
        for value in [20.0, -20.0] {
            let event =
                Event { name: "refund".into(), value: Some(value), currency: Some("EUR".into()), ..Event::example() };
            assert_eq!(of_order(&event, &Config::default()).revenue, Some(Number(-20.0)));
        }
    }

    #[test]
    fn revenue_is_never_counted_twice_nor_lost() {
        let config = Config { revenue: config::Revenue::Products, ..Config::default() };
        let order =
            |items: Vec<Item>| Event { value: Some(25.0), currency: Some("EUR".into()), items, ..Event::example() };
        let priced = order(vec![item(2.0, Some(10.0)), item(0.5, Some(10.0))]);
        assert_eq!(of_order(&priced, &config), Revenue::default());
        let sales = by_product(&priced, &config);
        assert_eq!((sales[0].revenue.price, sales[0].revenue.quantity), (Some(Number(10.0)), Some(2)));
        assert_eq!((sales[1].revenue.revenue, sales[1].revenue.quantity), (Some(Number(5.0)), None));
        let unpriced = order(vec![item(1.0, Some(10.0)), item(1.0, None)]);
        assert_eq!(of_order(&unpriced, &config).revenue, Some(Number(25.0)));
        assert!(by_product(&unpriced, &config).is_empty());
    }
}
