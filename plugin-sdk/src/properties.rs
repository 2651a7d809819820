//! The rest of an event's properties, looked up by name.

use std::cell::OnceCell;

use serde_json::{Map, Value};

/// A JSON object that is parsed when something is first looked up in it.
///
/// Types are exact: a number that was sent as text is no number, because a platform that is told otherwise reports
/// something that nobody measured.
#[derive(Debug)]
pub struct Properties<'a> {
    text: &'a str,
    map: OnceCell<Map<String, Value>>,
}

impl<'a> Properties<'a> {
    /// The properties in this text, such as `event.properties`. A text that is no object has none.
    pub fn parse(text: &'a str) -> Properties<'a> {
        Properties { text, map: OnceCell::new() }
    }

    /// All of them.
    pub fn map(&self) -> &Map<String, Value> {
        self.map.get_or_init(|| match self.text {
            "" | "{}" => Map::new(),
            text => serde_json::from_str(text).unwrap_or_default(),
        })
    }

    /// The property with this name, unless it is `null`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map().get(name).filter(|value| !value.is_null())
    }

    /// The property, where it is text that is not empty.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The property, where it is a number.
    pub fn get_f64(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// The property, where it is `true` or `false`.
    pub fn get_bool(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_of_another_type_is_absent() {
        let properties = Properties::parse(r#"{"query":"shoes","results":"12","page":2,"sale":true,"none":null}"#);
        assert_eq!(properties.get_str("query"), Some("shoes"));
        assert_eq!(properties.get_f64("results"), None);
        assert_eq!(properties.get_f64("page"), Some(2.0));
        assert_eq!(properties.get_bool("sale"), Some(true));
        assert_eq!(properties.get("none"), None);
    }

    #[test]
    fn a_text_that_is_no_object_has_no_properties() {
        assert!(Properties::parse("[1]").map().is_empty());
        assert!(Properties::parse("").map().is_empty());
    }
}
