//! Properties of any form, passed on as they were written; only a text that is too long is cut.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::Text;

/// "There is a character limit of 1024 characters for all string values."
pub(crate) const TEXT_CHARS_MAX: usize = 1_024;
/// The most properties that Amplitude's own SDKs send.
pub(crate) const PROPERTIES_MAX: usize = 1_024;

/// Names and values in their order.
pub(crate) type Properties<'a> = Vec<(Text<'a>, &'a RawValue)>;

/// An event's or an item's properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    if matches!(text, "" | "{}") {
        return Vec::new();
    }
    serde_json::Deserializer::from_str(text).deserialize_map(PairsVisitor).unwrap_or_default()
}

/// The property with this name, where it is text or a whole number, as text.
pub(crate) fn id<'a>(properties: &'a Properties<'a>, name: &str) -> Option<Cow<'a, str>> {
    let (_, value) = properties.iter().find(|(known, _)| **known == *name)?;
    let id = match serde_json::from_str::<Text<'_>>(value.get()) {
        Ok(text) => text.into_inner(),
        Err(_) => Cow::Owned(value.get().parse::<u64>().ok()?.to_string()),
    };
    (!id.trim().is_empty()).then_some(id)
}

/// A value that is written as it is, but for a text that is too long.
pub(crate) struct Bounded<'a>(pub(crate) &'a RawValue);

impl Serialize for Bounded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = self.0.get();
        // A text has no fewer bytes than characters, and its quotes.
        if raw.len() > TEXT_CHARS_MAX
            && let Ok(text) = serde_json::from_str::<Text<'_>>(raw)
        {
            return serializer.serialize_str(cut(&text));
        }
        self.0.serialize(serializer)
    }
}

/// The text's first 1024 characters.
pub(crate) fn cut(text: &str) -> &str {
    if text.len() <= TEXT_CHARS_MAX {
        return text;
    }
    text.char_indices().nth(TEXT_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Properties<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut pairs: Properties<'de> = Vec::new();
        while let Some((name, value)) = object.next_entry::<Text<'de>, &'de RawValue>()? {
            // `null` says nothing, and Amplitude would show it as a value.
            if value.get() != "null" && pairs.len() < PROPERTIES_MAX {
                pairs.push((name, value));
            }
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_form_and_their_order() {
        let pairs = parse(r#"{"b":1.50,"a":[2,{"c":null}],"n":null,"t":"x"}"#);
        let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", &**name, value.get())).collect();
        assert_eq!(written, ["b=1.50", r#"a=[2,{"c":null}]"#, r#"t="x""#]);
        assert!(parse("[1]").is_empty());
    }

    #[test]
    fn an_id_is_text_or_a_whole_number() {
        let pairs = parse(r#"{"a":"acme","b":42,"c":1.5,"d":" ","e":["x"]}"#);
        let found: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| id(&pairs, name)).into_iter().flatten().collect();
        assert_eq!(found, ["acme", "42"]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = serde_json::json!({ "long": "ä".repeat(2_000), "list": ["ä".repeat(2_000)] }).to_string();
        let pairs = parse(&text);
        let long = serde_json::to_string(&Bounded(pairs[0].1)).unwrap();
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 2);
        let list = serde_json::to_string(&Bounded(pairs[1].1)).unwrap();
        assert_eq!(list, pairs[1].1.get());
    }
}
