//! Single JSON values that are borrowed from their text: for plugins that read a few properties for every event and
//! would rather not build a tree of values.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is borrowed wherever it has no escapes, even inside an `Option`, a list or a map, where serde copies a `Cow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text itself.
    pub fn into_inner(self) -> Cow<'a, str> {
        self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Any JSON value, of which a list, an object and `null` are kept as nothing: one of an odd type never spoils the rest.
///
/// Write `Option<Scalar<'a>>` with `#[serde(borrow)]` in a struct with `#[serde(default)]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number that is not negative.
    Integer(u64),
    /// Any other number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A list, an object, or `null`.
    Other,
}

impl Scalar<'_> {
    /// The text without white space around it, unless nothing is left.
    pub fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// As [`Scalar::text`], of one that may be missing.
    pub fn text_of<'b>(value: &'b Option<Scalar<'_>>) -> Option<&'b str> {
        value.as_ref().and_then(Scalar::text)
    }

    /// The number; one that was sent as text is none.
    pub fn number(&self) -> Option<f64> {
        match self {
            Scalar::Integer(number) => Some(*number as f64),
            Scalar::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }
}

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Scalar::Text(text) => serializer.serialize_str(text),
            Scalar::Integer(number) => serializer.serialize_u64(*number),
            Scalar::Number(number) => serializer.serialize_f64(*number),
            Scalar::Bool(truth) => serializer.serialize_bool(*truth),
            Scalar::Other => serializer.serialize_unit(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(truth))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Some<'a> {
        #[serde(borrow)]
        a: Option<Scalar<'a>>,
        #[serde(borrow)]
        b: Option<Scalar<'a>>,
        #[serde(borrow)]
        c: Option<Text<'a>>,
    }

    #[test]
    fn what_has_no_escapes_is_borrowed() {
        let some: Some<'_> = serde_json::from_str(r#"{"a":"plain","b":"with \"quotes\"","c":"plain"}"#).unwrap();
        assert!(matches!(some.a, Option::Some(Scalar::Text(Cow::Borrowed("plain")))));
        assert_eq!(some.b.as_ref().and_then(Scalar::text), Option::Some("with \"quotes\""));
        assert!(matches!(some.c.map(Text::into_inner), Option::Some(Cow::Borrowed("plain"))));
    }

    #[test]
    fn an_odd_type_spoils_nothing() {
        let some: Some<'_> = serde_json::from_str(r#"{"a":{"deep":[1]},"b":9007199254740993,"other":[[]]}"#).unwrap();
        assert_eq!(some.a, Option::Some(Scalar::Other));
        assert_eq!(serde_json::to_string(&some.b).unwrap(), "9007199254740993");
        assert_eq!(Scalar::Text(Cow::Borrowed("12")).number(), None);
        assert_eq!(Scalar::Text(Cow::Borrowed("  ")).text(), None);
        assert_eq!(Scalar::text_of(&Option::Some(Scalar::Text(Cow::Borrowed(" x ")))), Option::Some("x"));
        assert_eq!(Scalar::text_of(&None), None);
    }
}
