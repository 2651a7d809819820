//! Properties of any form, passed on as they were written.

use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::Text;

/// "Must not exceed 400 properties"; some are left for what is made of the event itself.
const PROPERTIES_MAX: usize = 360;

/// Names and values in their order.
pub(crate) type Properties<'a> = Vec<(Text<'a>, &'a RawValue)>;

/// An event's properties, or a profile's. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    if matches!(text, "" | "{}") {
        return Vec::new();
    }
    serde_json::Deserializer::from_str(text).deserialize_map(PairsVisitor).unwrap_or_default()
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
            // In a profile `null` would clear a field.
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
    fn values_keep_their_form_and_null_is_no_value() {
        let pairs = parse(r#"{"b":1.50,"a":[2],"n":null}"#);
        let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", &**name, value.get())).collect();
        assert_eq!(written, ["b=1.50", "a=[2]"]);
        assert!(parse("[1]").is_empty());
    }
}
