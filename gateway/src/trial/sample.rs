//! The event of a trial: every field filled, with data that nobody can take for real.

use serde_json::{Value, json};

/// An event of this name as a backend would post it, that happened at `at_ms`.
///
/// Names, addresses and numbers are of the ranges that are kept free for examples: RFC 2606, RFC 5737, and the telephone
/// numbers 555-0100 to 555-0199.
pub fn sample(name: &str, id: &str, at_ms: u64) -> Value {
    let at_s = at_ms / 1_000;
    json!({
        "event": name,
        "id": id,
        "timestamp": at_ms,
        "anonymous_id": "tidegate-check-visitor",
        "customer_id": "tidegate-check-customer",
        "consent": "marketing",
        "user": {
            "email": "test.customer@example.com",
            "phone": "+12025550123",
            "first_name": "Test",
            "last_name": "Customer",
            "date_of_birth": "1990-01-31",
            "gender": "f",
            "street": "1 Example Street",
            "city": "Springfield",
            "state": "IL",
            "postal_code": "62701",
            "country": "US",
            "external_id": "tidegate-check-customer",
        },
        "page": {
            "url": "https://shop.example/thank-you",
            "title": "Thank you (a test by tidegate)",
            "referrer": "https://shop.example/checkout",
        },
        "client": {
            "ip": "203.0.113.7",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "locale": "en-US",
            "region": "US-IL",
        },
        "clicks": {
            "gclid": "tidegate-check-gclid",
            "fbclid": "tidegate-check-fbclid",
            "ttclid": "tidegate-check-ttclid",
            "msclkid": "0123456789abcdef0123456789abcdef",
            "ScCid": "01234567-89ab-4cde-8f01-23456789abcd",
            "twclid": "tidegate-check-twclid",
            "li_fat_id": "01234567-89ab-4cde-8f01-23456789abcd",
            "rdt_cid": "tidegate-check-rdt-cid",
            "epik": "tidegate-check-epik",
        },
        "cookies": {
            "_fbp": format!("fb.1.{at_ms}.1234567890"),
            "_ga": format!("GA1.1.1234567890.{at_s}"),
            "_ttp": "tidegate-check-ttp",
            "_scid": "01234567-89ab-4cde-8f01-23456789abcd",
            "_epik": "tidegate-check-epik",
        },
        "session": { "id": at_s.to_string(), "number": 1, "engagement_ms": 1_000 },
        "properties": {
            "order_id": id,
            "value": 12.34,
            "currency": "EUR",
            "coupon": "TIDEGATE-CHECK",
            "shipping": 1.23,
            "tax": 2.05,
            "search_term": "tidegate check",
            "method": "tidegate check",
            "items": [
                {
                    "item_id": "TIDEGATE-CHECK-1",
                    "item_name": "A test product",
                    "price": 10,
                    "quantity": 1,
                    "item_brand": "Tidegate",
                    "item_category": "Tests",
                    "item_variant": "one",
                },
                { "item_id": "TIDEGATE-CHECK-2", "item_name": "Another test product", "price": 1.17, "quantity": 2 },
            ],
        },
    })
}
