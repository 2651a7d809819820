//! What Microsoft requires of an event, and what it takes in silence and then cannot use.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::form::{is_currency, is_sha256};

const AGE_MAX_S: i64 = 7 * 24 * 60 * 60;
/// How far ahead of Microsoft's clock a sender's may be. Not documented.
const AHEAD_MAX_S: i64 = 60;
const PAGE_TYPES: [&str; 7] = ["cart", "category", "home", "other", "product", "purchase", "searchresults"];

/// The fields of an event, of `userData`, of `customData` and of an item, by the table "Data Schema".
const EVENT_FIELDS: [&str; 12] = [
    "adStorageConsent",
    "customData",
    "eventId",
    "eventName",
    "eventSourceUrl",
    "eventTime",
    "eventType",
    "keywords",
    "pageLoadId",
    "pageTitle",
    "referrerUrl",
    "userData",
];
const USER_FIELDS: [&str; 9] =
    ["anonymousId", "clientIpAddress", "clientUserAgent", "em", "externalId", "gaid", "idfa", "msclkid", "ph"];
const CUSTOM_FIELDS: [&str; 13] = [
    "currency",
    "ecommCategory",
    "ecommTotalValue",
    "eventCategory",
    "eventLabel",
    "eventValue",
    "hotelData",
    "itemIds",
    "items",
    "pageType",
    "searchTerm",
    "transactionId",
    "value",
];
const ITEM_FIELDS: [&str; 4] = ["id", "name", "price", "quantity"];
/// One of these says who the visitor is.
const IDENTIFIERS: [&str; 7] = ["anonymousId", "em", "externalId", "gaid", "idfa", "msclkid", "ph"];

/// One thing that is wrong with one event, as Microsoft says it.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    pub(super) index: usize,
    property: String,
    message: String,
}

impl Detail {
    /// `property` is below the event: `userData.em`.
    pub(super) fn new(index: usize, property: &str, message: &str) -> Detail {
        Detail { index, property: format!("data[{index}].{property}"), message: message.to_owned() }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "index": self.index, "propertyName": self.property, "errorMessage": self.message })
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.message)
    }
}

/// What Microsoft refuses an event for; `now_ms` is Unix time.
pub(super) fn event(index: usize, event: &Value, now_ms: i64) -> Vec<Detail> {
    let mut faults = Faults { index, list: Vec::new() };
    let Some(fields) = event.as_object() else {
        faults.add("", "must be an object.");
        return faults.list;
    };
    if !matches!(event["eventType"].as_str(), Some("pageLoad" | "custom")) {
        faults.add("eventType", "'eventType' must be one of the following: pageLoad, custom.");
    }
    time(fields, now_ms, &mut faults);
    if event["eventType"] == "pageLoad" && !fields.contains_key("eventSourceUrl") {
        faults.add("eventSourceUrl", "'eventSourceUrl' must not be empty.");
    }
    for field in ["eventSourceUrl", "referrerUrl"] {
        if fields.get(field).is_some_and(|url| !url.as_str().is_some_and(is_url)) {
            faults.add(field, &format!("'{field}' must be a valid URL."));
        }
    }
    for field in ["eventId", "eventName", "pageTitle", "pageLoadId", "keywords"] {
        if fields.get(field).is_some_and(|value| !value.is_string()) {
            faults.add(field, &format!("'{field}' must be a string."));
        }
    }
    if fields.get("adStorageConsent").is_some_and(|said| said != "G" && said != "D") {
        faults.add("adStorageConsent", "'adStorageConsent' must be one of the following: G, D.");
    }
    user_data(event["userData"].as_object(), &mut faults);
    if let Some(custom) = event["customData"].as_object() {
        custom_data(custom, &mut faults);
    }
    faults.list
}

struct Faults {
    index: usize,
    list: Vec<Detail>,
}

impl Faults {
    fn add(&mut self, property: &str, message: &str) {
        self.list.push(Detail::new(self.index, property, message));
    }
}

fn time(fields: &Map<String, Value>, now_ms: i64, faults: &mut Faults) {
    let Some(at_s) = fields.get("eventTime").and_then(Value::as_i64) else {
        return faults.add("eventTime", "'eventTime' must not be empty.");
    };
    let now_s = now_ms.div_euclid(1000);
    if now_s - at_s > AGE_MAX_S || at_s > now_s + AHEAD_MAX_S {
        faults.add("eventTime", "'eventTime' must be within the last 7 days.");
    }
}

fn user_data(data: Option<&Map<String, Value>>, faults: &mut Faults) {
    let given =
        |name: &&str| data.and_then(|data| data.get(*name)).and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    if !IDENTIFIERS.iter().any(given) {
        faults.add("userData", "'userData' must contain at least one identifier.");
    }
    for field in ["em", "ph"] {
        let value = data.and_then(|data| data.get(field));
        if value.is_some_and(|value| !value.as_str().is_some_and(is_sha256)) {
            faults.add(&format!("userData.{field}"), &format!("'{field}' must be a valid SHA256 string."));
        }
    }
}

fn custom_data(data: &Map<String, Value>, faults: &mut Faults) {
    for field in ["value", "eventValue", "ecommTotalValue"] {
        if data.get(field).is_some_and(|value| !value.is_number()) {
            faults.add(&format!("customData.{field}"), &format!("'{field}' must be a number."));
        }
    }
    if data.get("currency").is_some_and(|code| !is_currency(code)) {
        faults.add("customData.currency", "'currency' must be a valid ISO 4217 code.");
    }
    if data.get("pageType").is_some_and(|kind| !kind.as_str().is_some_and(|kind| PAGE_TYPES.contains(&kind))) {
        let message = format!("'pageType' must be one of the following: {}.", PAGE_TYPES.join(", "));
        faults.add("customData.pageType", &message);
    }
    for (at, item) in data.get("items").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if item.get("quantity").is_some_and(|quantity| quantity.as_u64().is_none()) {
            faults.add(&format!("customData.items[{at}].quantity"), "'quantity' must be a whole number.");
        }
        if item.get("price").is_some_and(|price| !price.is_number()) {
            faults.add(&format!("customData.items[{at}].price"), "'price' must be a number.");
        }
    }
}

/// What Microsoft takes without a word and cannot use.
pub(super) fn silent(index: usize, event: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unknown = |at: &str, value: &Value, known: &[&str]| {
        for field in value.as_object().into_iter().flat_map(Map::keys).filter(|field| !known.contains(&field.as_str()))
        {
            problems.push(format!("data[{index}]{at}.{field} is no field of the schema"));
        }
    };
    unknown("", event, &EVENT_FIELDS);
    unknown(".userData", &event["userData"], &USER_FIELDS);
    unknown(".customData", &event["customData"], &CUSTOM_FIELDS);
    for item in event["customData"]["items"].as_array().into_iter().flatten() {
        unknown(".customData.items[]", item, &ITEM_FIELDS);
    }
    let mut problem = |what: &str| problems.push(format!("data[{index}] {what}"));
    match (event["eventType"] == "custom", event["eventName"].is_string()) {
        (true, false) => problem("is a custom event without a name, which no goal can ask for"),
        (false, true) => problem("is a page load with a name"),
        _ => {}
    }
    let custom = &event["customData"];
    if event["eventType"] == "pageLoad" && !custom["value"].is_null() {
        problem("is a page load with a revenue, which is not read");
    }
    if !custom["value"].is_null() && custom["currency"].is_null() {
        problem("has a value without a currency");
    }
    if event["eventId"].is_null() {
        problem("has no eventId, so that one that comes twice counts twice");
    }
    let is_click_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if event["userData"]["msclkid"].as_str().is_some_and(|id| !is_click_id(id)) {
        problem("has an msclkid that is no UUID");
    }
    problems
}

fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
