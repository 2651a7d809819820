//! An event's parameters, within GA4's limits and without personal data.
//!
//! Source: "Measurement Protocol reference", section "Limitations", and "Event collection limits".

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::Number;
use tidegate_plugin_sdk::{Pairs, Scalar, personal};

use crate::config::Config;
use crate::items::Items;
use crate::names;

/// The most parameters of one event. `items` counts as one of them here, to be safe.
const PARAMS_MAX: usize = 25;
/// The longest text, in characters.
pub(crate) const VALUE_CHARS_MAX: usize = 100;
pub(crate) const PAGE_LOCATION_CHARS_MAX: usize = 1_000;
pub(crate) const PAGE_REFERRER_CHARS_MAX: usize = 420;
pub(crate) const PAGE_TITLE_CHARS_MAX: usize = 300;

/// Properties that have another name at GA4.
const RENAMED: &[(&str, &str)] = &[("query", "search_term"), ("list_id", "item_list_id")];

/// Parameters that the payload sets itself, or that must not be set from outside.
#[rustfmt::skip]
const OWN: &[&str] = &[
    "app_instance_id", "client_id", "currency", "debug_mode", "engagement_time_msec", "event_id", "items",
    "page_location", "page_referrer", "page_title", "session_id", "timestamp_micros", "transaction_id", "user_id",
    "value",
];

/// What an event about one product repeats of it among its own properties (Segment's specification).
#[rustfmt::skip]
const PRODUCT: &[&str] = &[
    "brand", "category", "image_url", "item_brand", "item_category", "item_id", "item_name", "item_variant", "name",
    "price", "product_id", "product_name", "productId", "quantity", "sku", "variant",
];

/// Parameters, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Params<'a> {
    list: Vec<(Cow<'a, str>, Value<'a>)>,
    items: Option<Items<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    Integer(u64),
}

impl<'a> Params<'a> {
    /// Adds a text that is no e-mail address, cut at `chars_max`.
    pub(crate) fn text(&mut self, name: &'a str, text: impl Into<Cow<'a, str>>, chars_max: usize) {
        let text = text.into();
        if !text.is_empty() && !personal::is_email(&text) {
            self.list.push((Cow::Borrowed(name), Value::Text(cut(text, chars_max))));
        }
    }

    pub(crate) fn number(&mut self, name: &'a str, number: Number) {
        self.list.push((Cow::Borrowed(name), Value::Number(number)));
    }

    pub(crate) fn integer(&mut self, name: &'a str, number: u64) {
        self.list.push((Cow::Borrowed(name), Value::Integer(number)));
    }

    pub(crate) fn items(&mut self, items: Items<'a>) {
        self.items = Some(items);
    }

    /// Adds the event's own properties, as many as there is room for.
    pub(crate) fn properties(&mut self, properties: &'a Pairs<'a, Scalar<'a>>, config: &Config<'_>) {
        for (name, value) in properties.iter() {
            if self.list.len() + usize::from(self.items.is_some()) >= PARAMS_MAX {
                return;
            }
            let listed = config.parameters.as_ref().is_none_or(|only| only.iter().any(|known| **known == *name));
            if listed && !personal::is_name(name) && !(self.items.is_some() && PRODUCT.contains(&name)) {
                self.property(name, value);
            }
        }
    }

    fn property(&mut self, sent: &'a str, value: &'a Scalar<'a>) {
        let name = RENAMED.iter().find(|(from, _)| *from == sent).map_or(sent, |(_, to)| to);
        let Some(name) = names::clean(name) else { return };
        if names::has_reserved_prefix(&name)
            || OWN.contains(&&*name)
            || self.list.iter().any(|(known, _)| *known == name)
        {
            return;
        }
        let value = match value {
            Scalar::Text(_) => match value.text().filter(|text| !personal::is_email(text)) {
                Some(text) => Value::Text(cut(Cow::Borrowed(text), VALUE_CHARS_MAX)),
                None => return,
            },
            Scalar::Integer(number) => Value::Integer(*number),
            Scalar::Number(number) if number.is_finite() => Value::Number(Number(*number)),
            Scalar::Bool(true) => Value::Text(Cow::Borrowed("true")),
            Scalar::Bool(false) => Value::Text(Cow::Borrowed("false")),
            Scalar::Number(_) | Scalar::Other => return,
        };
        self.list.push((name, value));
    }
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.list {
            map.serialize_entry(name, value)?;
        }
        if let Some(items) = &self.items {
            map.serialize_entry("items", items)?;
        }
        map.end()
    }
}

/// A text of at most so many characters.
pub(crate) fn cut(text: Cow<'_, str>, chars_max: usize) -> Cow<'_, str> {
    // A text is never shorter in bytes than in characters.
    if text.len() <= chars_max {
        return text;
    }
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(Cow::Borrowed("größe"), 3), "grö");
        assert_eq!(cut(Cow::Owned("größe".to_owned()), 4), "größ");
        assert_eq!(cut(Cow::Borrowed("größe"), 5), "größe");
    }
}
