//! JSON as text: any at all, and valid events of each protocol with something wrong in them. Text, because duplicate
//! keys, huge numbers and broken escapes exist only there.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// Names that the gateway looks for, and some that make trouble.
const NAMES: &[&str] = &[
    "event",
    "events",
    "batch",
    "type",
    "messageId",
    "message_id",
    "userId",
    "anonymousId",
    "anonymous_id",
    "customer_id",
    "timestamp",
    "sentAt",
    "sent_at",
    "properties",
    "traits",
    "context",
    "consent",
    "categoryPreferences",
    "analytics",
    "user",
    "email",
    "phone",
    "address",
    "page",
    "url",
    "referrer",
    "client",
    "ip",
    "user_agent",
    "clicks",
    "fbclid",
    "cookies",
    "_fbc",
    "_fbp",
    "_ga",
    "session",
    "id",
    "value",
    "revenue",
    "currency",
    "order_id",
    "items",
    "products",
    "price",
    "quantity",
    "writeKey",
    "limited_data_use",
    "",
    "__proto__",
    "\\u0000",
    "a.b[0]",
    "\\ud83d\\ude00",
];

/// Values, as JSON text, that are wrong nearly everywhere.
const ODD: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "\" \"",
    "0",
    "-0.0",
    "-1",
    "1e308",
    "1e-320",
    "1e999",
    "18446744073709551616",
    "9007199254740993",
    "0.1000000000000000055511151231257827",
    "123456789012345678901234567890123456789012345678901234567890",
    "\"NaN\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{202e}abc\u{200b}\u{feff}\"",
    "\"e\u{301}\u{301}\u{301}\"",
    "\"\u{fffd}\"",
    "\"ß\u{130}\u{1e9e}\"",
    "\"2026-01-15T14:32:00Z\"",
    "\"2026-02-30T25:61:61Z\"",
    "\"+999999-01-01T00:00:00Z\"",
    "\"-009999-01-01T00:00:00Z\"",
    "1",
    "1768487520",
    "1768487520000",
    "9999999999999999",
    "\"fb.1.99999999999999999999.x\"",
    "\"fb..\"",
    "\"GA1.2.\"",
    "\"GS1.1.x.1\"",
    "\"GCL.9999999999999999999.x\"",
    "\"http://[::1\"",
    "\"https://a/?fbclid=%ff%zz%\"",
    "\"?gclid=\"",
    "\"//\"",
    "\"@\"",
    "\"a@\"",
    "\"+\"",
    "\"00\"",
    "\"EUR\"",
    "\"eu\u{301}r\"",
    "[]",
    "{}",
    "[[[[]]]]",
    "[null]",
    "[{}]",
    "{\"analytics\":{}}",
    "{\"categoryPreferences\":[]}",
    "\"marketing\"",
];

/// Texts that are none of what a text may stand for.
const ODD_TEXTS: &[&str] = &[
    "\0",
    "a\0b",
    "\u{202e}abc\u{200b}",
    "e\u{301}\u{301}",
    "ß\u{130}\u{1e9e}",
    "fb.1.99999999999999999999.x",
    "fb..",
    "fb.1.1.",
    "GA1.2.",
    "GA1.1.a.b",
    "GS1.1.x.1",
    "GCL.-1.x",
    "http://[::1",
    "https://a/?fbclid=%ff%zz%&fbclid=&gclid",
    "?",
    "//",
    "@",
    "a@",
    "@gmail.com",
    ".@gmail.com",
    "+",
    "+0",
    "00",
    "()-",
    "1 650 555 1212 ext. 3",
    "999.999.999.999",
    "::1",
    "2026-11-20T12:00:00+14:00",
    "2026-11-20T12:00:00.999999999999Z",
    "19991332",
    "f",
    "X",
    "United States",
    "94025-1234",
    "Order Completed",
    "purchase",
    "PURCHASE",
    "page_view",
    "_reserved",
    "ga_x",
    "firebase_1",
    "1st",
    "a b",
    "\u{1f600}",
];

/// Valid JSON events, one of each kind and protocol.
const EVENTS: &[&str] = &[
    r#"{"event":"purchase_completed","timestamp":"2026-01-15T14:32:00Z","customer_id":"cust_12345","properties":{"order_value":149.99,"currency":"EUR"}}"#,
    r#"{"events":[{"event":"page_view","message_id":"m-1","anonymous_id":"a","sent_at":1795182838759,"page":{"url":"https://www.shop.example/?fbclid=AbC","title":"T","referrer":"https://l.example"},"client":{"ip":"203.0.113.7","user_agent":"UA","locale":"de-AT","region":"AT"},"consent":"marketing","session":{"id":"1","number":2,"engagement_ms":3}},{"event":"purchase","user":{"email":"a@b.example","phone":"+1 650 555 1212","address":{"city":"Wien","country":"AT"}},"clicks":{"gclid":"x"},"cookies":{"_fbp":"fb.1.1700000000000.12","_ga":"GA1.1.12.34"},"limited_data_use":true,"properties":{"value":1,"currency":"eur","order_id":7,"items":[{"id":"s","price":1.5,"quantity":2,"variant":3}]}}],"write_key":"demo-write-key"}"#,
    r#"{"batch":[{"type":"identify","userId":"u","anonymousId":"a","messageId":"m","timestamp":"2026-11-20T12:00:00.123Z","traits":{"email":"John_Smith@gmail.com","phone":"US (650)555-1212","firstName":"Mary","address":{"postalCode":"94025"}},"context":{"ip":"203.0.113.7","userAgent":"UA","consent":{"categoryPreferences":{"Analytics":true,"Advertising":true}}}},{"type":"page","userId":"u","properties":{"url":"https://www.shop.example/?gclid=1&utm_source=x","title":"T"}},{"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"o","total":1.5,"currency":"EUR","products":[{"product_id":"p","price":1,"quantity":1}]}},{"type":"group","userId":"u","groupId":"g"},{"type":"alias","userId":"u","previousId":"v"}],"sentAt":"2026-11-20T12:00:01Z","writeKey":"demo-write-key","context":{"locale":"en"}}"#,
    r#"{"userId":"u","event":"Product Added","properties":{"product_id":"p","name":"Lamp","price":12.5,"quantity":1,"currency":"USD"},"context":{"page":{"url":"https://www.shop.example/p"},"sessionId":12}}"#,
];

/// An event of some protocol: valid, mutated, or not an event at all.
pub(crate) fn event() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => select(EVENTS).prop_map(str::to_owned),
        12 => mutated(),
        2 => any_json(),
        1 => deep(),
        1 => damaged(),
    ]
}

/// A valid event with one to three of its nodes replaced, removed, doubled, renamed or joined by another.
fn mutated() -> impl Strategy<Value = String> {
    (select(EVENTS), vec((any::<Index>(), mutation()), 1..4)).prop_map(|(text, mutations)| {
        let mut event: Value = serde_json::from_str(text).expect("the events are JSON");
        let mut replacements = Vec::new();
        for (index, mutation) in mutations {
            let at = index.index(nodes(&event).max(1));
            mutate(&mut event, &mut 0, at, &mutation, &mut replacements);
        }
        let mut text = event.to_string();
        for (number, replacement) in replacements.iter().enumerate() {
            text = text.replace(&format!("\"@@{number}@@\""), replacement);
        }
        text
    })
}

#[derive(Debug, Clone)]
enum Mutation {
    /// Another value, as text.
    Replace(String),
    /// The same member again, with another value.
    Double(String),
    Rename(&'static str),
    Remove,
    /// Another text or number where there is one: what passes the decoder and reaches the plugins.
    Alike(String, f64),
    /// Another member beside it.
    Beside(&'static str, String),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let odd_text = prop_oneof![2 => select(ODD_TEXTS).prop_map(str::to_owned), 1 => any::<String>()];
    prop_oneof![
        8 => (odd_text, any::<f64>()).prop_map(|(text, number)| Mutation::Alike(text, number)),
        4 => (select(NAMES), value()).prop_map(|(name, value)| Mutation::Beside(name, value)),
        4 => value().prop_map(Mutation::Replace),
        2 => value().prop_map(Mutation::Double),
        1 => select(NAMES).prop_map(Mutation::Rename),
        1 => Just(Mutation::Remove),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(ODD).prop_map(str::to_owned), 2 => any_json(), 1 => text(), 1 => long()]
}

/// How many members and elements there are, at any depth.
fn nodes(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(|value| 1 + nodes(value)).sum(),
        Value::Array(list) => list.iter().map(|value| 1 + nodes(value)).sum(),
        _ => 0,
    }
}

/// Changes the node of this number; what has no form as a value gets a mark that its text is put for later.
fn mutate(value: &mut Value, count: &mut usize, at: usize, mutation: &Mutation, replacements: &mut Vec<String>) {
    let mark = |text: String, replacements: &mut Vec<String>| {
        replacements.push(text);
        Value::String(format!("@@{}@@", replacements.len() - 1))
    };
    match value {
        Value::Object(object) => {
            for name in object.keys().cloned().collect::<Vec<_>>() {
                if *count == at {
                    let old = object.remove(&name).unwrap_or_default();
                    let key = Value::from(name.as_str());
                    match mutation {
                        Mutation::Replace(text) => drop(object.insert(name, mark(text.clone(), replacements))),
                        Mutation::Double(text) => {
                            drop(object.insert(name, mark(format!("{old},{key}:{text}"), replacements)));
                        }
                        Mutation::Rename(other) => drop(object.insert((*other).to_owned(), old)),
                        Mutation::Remove => {}
                        Mutation::Alike(text, number) => drop(object.insert(name, alike(old, text, *number))),
                        Mutation::Beside(other, text) => {
                            object.insert(name, old);
                            object.insert((*other).to_owned(), mark(text.clone(), replacements));
                        }
                    }
                    *count += 1;
                    return;
                }
                *count += 1;
                mutate(&mut object[&name], count, at, mutation, replacements);
            }
        }
        Value::Array(list) => {
            for element in list {
                if *count == at {
                    let text = match mutation {
                        Mutation::Replace(text) => text.clone(),
                        Mutation::Double(text) => format!("{element},{text}"),
                        Mutation::Alike(text, number) => alike(element.take(), text, *number).to_string(),
                        Mutation::Beside(_, text) => format!("{text},{element}"),
                        Mutation::Rename(_) | Mutation::Remove => "null".to_owned(),
                    };
                    *element = mark(text, replacements);
                    *count += 1;
                    return;
                }
                *count += 1;
                mutate(element, count, at, mutation, replacements);
            }
        }
        _ => {}
    }
}

fn alike(old: Value, text: &str, number: f64) -> Value {
    match old {
        Value::String(_) => text.into(),
        Value::Number(_) => number.into(),
        other => other,
    }
}

/// Any JSON, with the gateway's own names in it, and with the same name twice where chance wants it.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(ODD).prop_map(str::to_owned),
        any::<f64>().prop_map(|number| if number.is_finite() { number.to_string() } else { "0".into() }),
        any::<i64>().prop_map(|number| number.to_string()),
        text(),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let name = prop_oneof![3 => select(NAMES).prop_map(|name| format!("\"{name}\"")), 1 => text()];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(","))),
            vec((name, inner).prop_map(|(name, value)| format!("{name}:{value}")), 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Any text, quoted.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| Value::from(text).to_string())
}

fn long() -> impl Strategy<Value = String> {
    let unit = select(&["a", "\u{1f600}", "\u{301}", "\\u0000", "?&", "%25", " "][..]);
    (unit, 1..40_000usize).prop_map(|(unit, count)| format!("\"{}\"", unit.repeat(count)))
}

/// Nested as deep as a stack overflow would need.
fn deep() -> impl Strategy<Value = String> {
    let shape = select(&[("[", "1", "]"), ("{\"properties\":", "{}", "}"), ("[", "", ""), ("{\"a\":[", "", "")][..]);
    (shape, prop_oneof![100..200usize, 1_000..50_000usize]).prop_map(|((open, middle, close), depth)| {
        format!(
            "{{\"event\":\"e\",\"customer_id\":\"c\",\"properties\":{{\"deep\":{}{middle}{}}}}}",
            open.repeat(depth),
            close.repeat(depth)
        )
    })
}

/// A valid event, cut off or with stray characters in it.
fn damaged() -> impl Strategy<Value = String> {
    (select(EVENTS), any::<Index>(), any::<char>(), any::<bool>()).prop_map(|(text, index, stray, cut)| {
        let mut text = text.to_owned();
        let at = index.index(text.len());
        if cut {
            text.truncate(at)
        } else {
            text.insert(at, stray)
        }
        text
    })
}
