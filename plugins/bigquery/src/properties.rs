//! The column `properties`: a JSON object, written as the site wrote it but for what is personal. BigQuery takes the
//! value of a JSON column as text.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::{Rejection, Text};

use crate::personal;

/// The names and values that may be kept, in their order; values are passed on digit by digit.
#[derive(Debug)]
pub(crate) struct Properties<'a>(Vec<(Text<'a>, &'a RawValue)>);

/// Reads an object of properties; nothing when none of them may be kept.
///
/// # Errors
/// When the text is no object, which the gateway never hands over.
pub(crate) fn of(text: &str) -> Result<Option<Properties<'_>>, Rejection> {
    if matches!(text, "" | "{}") {
        return Ok(None);
    }
    let mut all: Properties<'_> =
        serde_json::from_str(text).map_err(|e| Rejection::invalid(format!("the properties: {e}")))?;
    all.0.retain(|(name, value)| !personal::is_name(name) && !personal::is_email(value.get()));
    Ok((!all.0.is_empty()).then_some(all))
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(&Object(&self.0)).map_err(S::Error::custom)?)
    }
}

/// The same as an object.
struct Object<'a>(&'a [(Text<'a>, &'a RawValue)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Properties<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Properties(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        let kept = of(text).unwrap()?;
        serde_json::to_value(&kept).unwrap().as_str().map(str::to_owned)
    }

    #[test]
    fn what_is_kept_is_kept_digit_by_digit() {
        let text = r#"{"precise":0.10,"large":12345678901234567890123,"nested":{"b":[1,{"a":null}]}}"#;
        assert_eq!(written(text).as_deref(), Some(text));
    }

    #[test]
    fn people_are_left_out_at_any_depth() {
        let text = r#"{"Email":"a@b.co","to":{"list":["x","a@b.co"]},"note":"call \"a@b.co\"","plan":"pro"}"#;
        assert_eq!(written(text).as_deref(), Some(r#"{"plan":"pro"}"#));
        assert_eq!(written(r#"{"phone":"1"}"#), None);
        assert_eq!(written("{}"), None);
    }
}
