//! An object's names and values in their order: for plugins that pass properties on, or read all of them once.
//!
//! Makes no tree of values. As [`RawPairs`] each value is the text that was sent, digit by digit and as deep as it is
//! nested; [`Pairs`] of [`Scalar`] are values to look at.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Rejection, Scalar, Text};

/// The names and values of a JSON object. A name that comes twice is there twice.
#[derive(Debug, Clone)]
pub struct Pairs<'a, V>(Vec<(Text<'a>, V)>);

/// [`Pairs`] whose values are written as they were sent.
pub type RawPairs<'a> = Pairs<'a, &'a RawValue>;

impl<V> Default for Pairs<'_, V> {
    fn default() -> Self {
        Pairs(Vec::new())
    }
}

impl<'a, V: Deserialize<'a>> Pairs<'a, V> {
    /// The properties of an event or an item. A text that is no object has none.
    pub fn parse(text: &'a str) -> Pairs<'a, V> {
        match text {
            "" | "{}" => Pairs::default(),
            text => serde_json::from_str(text).unwrap_or_default(),
        }
    }

    /// As [`Pairs::parse`], for plugins to which properties that get lost are worse than an event that does.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when the text is no object, which the gateway never hands over.
    pub fn try_parse(text: &'a str) -> Result<Pairs<'a, V>, Rejection> {
        match text {
            "" | "{}" => Ok(Pairs::default()),
            text => serde_json::from_str(text).map_err(|e| Rejection::invalid(format!("the properties: {e}"))),
        }
    }
}

impl<'a, V> Pairs<'a, V> {
    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether there is a value of this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without those that the function refuses.
    #[must_use]
    pub fn only(mut self, mut keeps: impl FnMut(&str, &V) -> bool) -> Pairs<'a, V> {
        self.0.retain(|(name, value)| keeps(name, value));
        self
    }

    /// The first so many.
    #[must_use]
    pub fn first(mut self, count: usize) -> Pairs<'a, V> {
        self.0.truncate(count);
        self
    }
}

impl<'a> RawPairs<'a> {
    /// Without those whose value is `null`, which says nothing, and to some platforms "delete it".
    #[must_use]
    pub fn without_nulls(self) -> RawPairs<'a> {
        self.only(|_, value| value.get() != "null")
    }

    /// The value, where it is text that is not blank, or a whole number: an id may be either. White space around it goes.
    pub fn id(&self, name: &str) -> Option<Cow<'a, str>> {
        match serde_json::from_str(self.get(name)?.get()).ok()? {
            Scalar::Text(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.trim())),
            Scalar::Text(Cow::Owned(text)) => Some(Cow::Owned(text.trim().to_owned())),
            Scalar::Integer(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }
}

impl<V: Serialize> Serialize for Pairs<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<'a, V>(PhantomData<(&'a str, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, V> {
    type Value = Pairs<'a, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = object.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_form_and_their_order() {
        let text = r#"{"precise":1.50,"large":12345678901234567890123,"nested":{"b":[1, {"a":null}]},"a":null}"#;
        assert_eq!(serde_json::to_string(&RawPairs::parse(text)).unwrap(), text);
        let first = RawPairs::parse(text).without_nulls().first(1);
        assert_eq!(serde_json::to_string(&first).unwrap(), r#"{"precise":1.50}"#);
    }

    #[test]
    fn what_is_no_object_has_no_pairs() {
        for text in ["", "{}", "[1]", "1", "{"] {
            assert!(RawPairs::parse(text).is_empty(), "{text}");
        }
        let Err(Rejection::Invalid(reason)) = RawPairs::try_parse("[1]") else { panic!("must be refused") };
        assert!(reason.starts_with("the properties: "), "{reason}");
    }

    #[test]
    fn an_id_is_text_or_a_whole_number() {
        let pairs = RawPairs::parse(r#"{"a":" x ","b":7,"c":1.5,"d":"  ","e":[1]}"#);
        assert_eq!((pairs.id("a").as_deref(), pairs.id("b").as_deref()), (Some("x"), Some("7")));
        assert_eq!((pairs.id("c"), pairs.id("d"), pairs.id("e"), pairs.id("f")), (None, None, None, None));
    }

    #[test]
    fn values_can_be_scalars() {
        let pairs: Pairs<'_, Scalar<'_>> = Pairs::parse(r#"{"b":1,"a":[2],"c":"x"}"#);
        assert_eq!(pairs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(pairs.get("a"), Some(&Scalar::Other));
        assert!(pairs.has("c") && !pairs.has("d"));
    }
}
