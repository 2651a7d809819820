//! Properties of any form, passed on as they were written; only a text that is too long is cut.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::{RawPairs, Text};

/// "There is a character limit of 1024 characters for all string values."
pub(crate) const TEXT_CHARS_MAX: usize = 1_024;
/// The most properties that Amplitude's own SDKs send.
pub(crate) const PROPERTIES_MAX: usize = 1_024;

/// Names and values in their order.
pub(crate) type Properties<'a> = RawPairs<'a>;

/// An event's or an item's properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    // `null` says nothing, and Amplitude would show it as a value.
    RawPairs::parse(text).without_nulls().first(PROPERTIES_MAX)
}

/// The property with this name, where it is text or a whole number, as text.
pub(crate) fn id<'a>(properties: &'a Properties<'a>, name: &str) -> Option<Cow<'a, str>> {
    let value = properties.get(name)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let long = serde_json::to_string(&Bounded(pairs.get("long").unwrap())).unwrap();
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 2);
        let list = serde_json::to_string(&Bounded(pairs.get("list").unwrap())).unwrap();
        assert_eq!(list, pairs.get("list").unwrap().get());
    }
}
