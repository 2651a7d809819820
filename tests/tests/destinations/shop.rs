//! A shop's whole session, as its page sends it: from the click on an ad to the refund.

use serde_json::{Value, json};
use tidegate::clock::{Clock as _, SystemClock};

/// What every event of a session says, and the event's own part of it.
fn event(visitor: usize, name: &str, own: Value) -> Value {
    let mut event = json!({
        "event": name,
        "message_id": format!("{name}-{visitor}-{}", uuid_like(visitor)),
        "timestamp": SystemClock.now_ms(),
        "page": {
            "url": format!("https://www.shop.example/{name}?{CLICKS}"),
            "title": "The shop",
            "referrer": "https://www.search.example/",
        },
        "session": { "id": "1768487000", "number": 2, "engagement_ms": 1200 },
        "user": {
            "email": format!("Visitor.{visitor}@Shop.Example"),
            "phone": format!("+43 1 5880{visitor}00"),
            "first_name": "Mary",
            "last_name": "Valéry",
            "city": "Wien",
            "state": "W",
            "postal_code": "1010",
            "country": "AT",
            "date_of_birth": "1990-04-12",
            "gender": "f",
        },
        "customer_id": format!("customer-{visitor}-0001"),
    });
    merge(&mut event, own);
    event
}

/// A part of an id that no other session of any test has.
fn uuid_like(visitor: usize) -> u64 {
    SystemClock.now_ms() * 10 + visitor as u64
}

fn merge(base: &mut Value, own: Value) {
    if let (Some(base), Value::Object(own)) = (base.as_object_mut(), own) {
        base.extend(own);
    }
}

/// Every click ID at once, as no real address has them.
const CLICKS: &str = "gclid=Cj0KCQiA-test_gclid&fbclid=IwAR2F4-dbP0l7Mn1IawQQ&ttclid=E.C.P.test_ttclid&msclkid=0a1b2c3d4e5f60718293a4b5c6d7e8f9\
&ScCid=5a4b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1d&twclid=26l6412g5p4iyj65a2oic2ayg2&rdt_cid=5213457789012345678\
&epik=dj0yJnU9WnQ4b3Rlc3Q&li_fat_id=6b1e2f3a-4c5d-4e6f-8a7b-9c0d1e2f3a4b";

/// What the platforms' own tags have left in the browser.
pub(crate) fn cookies(visitor: usize) -> String {
    format!(
        "_ga=GA1.1.109811539{visitor}.1768000000; _ga_TIDEGATE00=GS2.1.s1768487000$o3$g1; \
         _fbp=fb.1.1768000000123.77{visitor}; _ttp=2Nk5ZP0c8tTn6oUjB1Qm8xYvW9{visitor}; \
         _scid=5a4b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1{visitor}; _uetvid=0a1b2c3d4e5f11ee8293a4b5c6d7e8f{visitor}; \
         _rdt_uuid=1768000000123.5a4b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1{visitor}"
    )
}

/// The events of a session, in their order.
pub(crate) fn session(visitor: usize) -> Vec<Value> {
    let products = json!([
        { "product_id": "SKU-1", "name": "Lamp", "price": 99.99, "quantity": 1, "brand": "Lumen", "category": "Home" },
        { "product_id": "SKU-2", "name": "Bulb", "price": 12.5, "quantity": 2, "brand": "Lumen", "category": "Home" },
    ]);
    let worth = |more: Value| {
        let mut properties = json!({ "value": 124.99, "currency": "EUR", "products": products });
        merge(&mut properties, more);
        json!({ "properties": properties })
    };
    let order = format!("A-{}-{visitor}", uuid_like(visitor));
    let track = |name: &str, own: Value| event(visitor, name, own);
    vec![
        track("page_view", json!({})),
        track("search", json!({ "properties": { "search_term": "lamp" } })),
        track("view_item_list", worth(json!({ "item_list_name": "Lamps" }))),
        track("view_item", worth(json!({}))),
        track("add_to_wishlist", worth(json!({}))),
        track("add_to_cart", worth(json!({}))),
        track("view_cart", worth(json!({}))),
        track("begin_checkout", worth(json!({}))),
        track("add_shipping_info", worth(json!({ "shipping_tier": "express" }))),
        track("add_payment_info", worth(json!({ "payment_type": "card" }))),
        track("purchase", worth(json!({ "order_id": order, "shipping": 4.9, "tax": 20.8, "coupon": "WINTER" }))),
        track("sign_up", json!({ "properties": { "method": "e-mail" } })),
        track("generate_lead", json!({ "properties": { "value": 10, "currency": "EUR" } })),
        // The whole order: none of its items is named.
        track("refund", json!({ "properties": { "order_id": order, "value": 124.99, "currency": "EUR" } })),
    ]
}
