//! The few properties that are granted, without a tree of JSON values: this runs for every event.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A property as it was sent. What is neither text, number nor truth value is kept as nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Integer(u64),
    Number(f64),
    Other,
}

impl<'a> Scalar<'a> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Integer(number) => Some(*number as f64),
            Scalar::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// An id that Meta takes as text or as a number.
    pub(crate) fn id(&self) -> Option<&Scalar<'a>> {
        (matches!(self, Scalar::Integer(_)) || self.text().is_some()).then_some(self)
    }
}

/// The properties that `plugin.toml` grants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Properties<'a> {
    #[serde(borrow)]
    pub(crate) action_source: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_category: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_name: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_type: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) delivery_category: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) fb_login_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) item_list_name: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) lead_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) num_items: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) predicted_ltv: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) query: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) search_term: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) status: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_id: Option<Scalar<'a>>,
}

/// Reads an event's properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    match text {
        "" | "{}" => Properties::default(),
        text => serde_json::from_str(text).unwrap_or_default(),
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

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
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

    #[test]
    fn properties_of_any_type_spoil_nothing() {
        let text = r#"{"status":{"deep":[1]},"query":"a \"b\"","lead_id":9007199254740993,"num_items":"3","other":[]}"#;
        let properties = parse(text);
        assert_eq!(properties.status, Some(Scalar::Other));
        assert_eq!(properties.query.as_ref().and_then(Scalar::text), Some("a \"b\""));
        assert_eq!(properties.lead_id, Some(Scalar::Integer(9_007_199_254_740_993)));
        assert_eq!(properties.num_items.as_ref().and_then(Scalar::number), None);
        assert!(parse("[]").query.is_none());
    }
}
