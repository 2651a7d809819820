//! JSON objects, written in the order in which their fields are put. What an event brings along is passed on digit by
//! digit, as deep as it is nested: it is never made a tree of values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::money::Number;
use tidegate_plugin_sdk::{Scalar, Text};

/// The properties of an event or an item, as they came; one that is `null` is absent.
#[derive(Debug, Default)]
pub(crate) struct Own<'a>(Vec<(Text<'a>, &'a RawValue)>);

/// Reads properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Own<'_> {
    match text {
        "" | "{}" => Own::default(),
        text => serde_json::from_str(text).unwrap_or_default(),
    }
}

impl<'a> Own<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.iter().any(|(known, _)| known == name)
    }

    /// The property, where it is text that is not blank, or a whole number: an id may be either.
    pub(crate) fn id(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.iter().find(|(known, _)| *known == name)?;
        match serde_json::from_str(value.get()).ok()? {
            Scalar::Text(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.trim())),
            Scalar::Text(Cow::Owned(text)) => Some(Cow::Owned(text.trim().to_owned())),
            Scalar::Integer(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Own<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OwnVisitor)
    }
}

struct OwnVisitor;

impl<'de> Visitor<'de> for OwnVisitor {
    type Value = Own<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Own<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            if value.get() != "null" {
                list.push((name, value));
            }
        }
        Ok(Own(list))
    }
}

/// An object to be written.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, Field<'a>)>);

/// A value to be written. An object holds no further objects but those put there: a nesting of two or three.
#[derive(Debug)]
pub(crate) enum Field<'a> {
    Raw(&'a RawValue),
    Text(Cow<'a, str>),
    Number(Number),
    Flag(bool),
    Object(Fields<'a>),
    List(Vec<Fields<'a>>),
}

impl<'a> Fields<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Adds a field; the first of a name stays.
    pub(crate) fn put(&mut self, name: impl Into<Cow<'a, str>>, field: Field<'a>) {
        let name = name.into();
        if !self.has(&name) {
            self.0.push((name, field));
        }
    }

    /// Adds a text, unless there is none or it is empty.
    pub(crate) fn text(&mut self, name: impl Into<Cow<'a, str>>, text: Option<impl Into<Cow<'a, str>>>) {
        let Some(text) = text.map(Into::into).filter(|text| !text.is_empty()) else { return };
        self.put(name, Field::Text(text));
    }

    pub(crate) fn number(&mut self, name: impl Into<Cow<'a, str>>, number: Option<Number>) {
        if let Some(number) = number.filter(|number| number.0.is_finite()) {
            self.put(name, Field::Number(number));
        }
    }

    /// Adds an object, unless it is empty.
    pub(crate) fn object(&mut self, name: impl Into<Cow<'a, str>>, object: Fields<'a>) {
        if !object.is_empty() {
            self.put(name, Field::Object(object));
        }
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, field) in &self.0 {
            map.serialize_entry(&**name, field)?;
        }
        map.end()
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Raw(value) => value.serialize(serializer),
            Field::Text(text) => serializer.serialize_str(text),
            Field::Number(number) => number.serialize(serializer),
            Field::Flag(flag) => serializer.serialize_bool(*flag),
            Field::Object(fields) => fields.serialize(serializer),
            Field::List(list) => serializer.collect_seq(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_brings_is_written_as_it_came() {
        let own = parse(r#"{"big":12345678901234567890.10,"deep":{"a":[1, 2]},"none":null}"#);
        let mut fields = Fields::default();
        for (name, value) in own.iter() {
            fields.put(name, Field::Raw(value));
        }
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"big":12345678901234567890.10,"deep":{"a":[1, 2]}}"#);
    }

    #[test]
    fn the_first_field_of_a_name_stays() {
        let mut fields = Fields::default();
        fields.text("a", Some("one"));
        fields.text("a", Some("two"));
        fields.text("b", Some(""));
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"a":"one"}"#);
    }

    #[test]
    fn an_id_is_text_or_a_whole_number() {
        let own = parse(r#"{"a":" x ","b":7,"c":1.5,"d":"  ","e":[1]}"#);
        assert_eq!((own.id("a").as_deref(), own.id("b").as_deref()), (Some("x"), Some("7")));
        assert_eq!((own.id("c"), own.id("d"), own.id("e")), (None, None, None));
        assert!(parse("[1]").id("a").is_none());
    }
}
