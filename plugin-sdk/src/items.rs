//! Sums and lists over the items of a cart or an order.

use crate::Item;

/// The ids of the items that have one, in their order.
pub fn ids(items: &[Item]) -> Vec<&str> {
    items.iter().filter_map(|item| item.id.as_deref()).collect()
}

/// How many pieces there are. An item that says no quantity is one piece; a fraction is rounded up.
pub fn count(items: &[Item]) -> u64 {
    items.iter().map(|item| quantity(item).ceil() as u64).fold(0, u64::saturating_add)
}

/// Price by quantity over all items, in the event's currency; nothing when an item has no price.
pub fn total(items: &[Item]) -> Option<f64> {
    if items.is_empty() {
        return None;
    }
    items.iter().map(|item| item.price.map(|price| price * quantity(item))).sum()
}

/// How many pieces an item is: one, unless it says something sensible.
pub fn quantity(item: &Item) -> f64 {
    item.quantity.filter(|quantity| quantity.is_finite() && *quantity >= 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, quantity: Option<f64>, price: Option<f64>) -> Item {
        Item {
            id: Some(id.into()),
            name: None,
            quantity,
            price,
            brand: None,
            category: None,
            variant: None,
            properties: "{}".into(),
        }
    }

    #[test]
    fn an_item_without_a_quantity_is_one_piece() {
        let items = [item("a", Some(2.0), Some(10.0)), item("b", None, Some(5.5)), item("c", Some(f64::NAN), None)];
        assert_eq!(ids(&items), ["a", "b", "c"]);
        assert_eq!(count(&items), 4);
        assert_eq!(total(&items[..2]), Some(25.5));
    }

    #[test]
    fn a_missing_price_leaves_no_total() {
        assert_eq!(total(&[item("a", None, Some(1.0)), item("b", None, None)]), None);
        assert_eq!(total(&[]), None);
    }
}
