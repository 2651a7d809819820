//! JSON objects that are put together field by field, and written in that order: for platforms that take any property.
//!
//! What an event brings along is passed on as it came ([`RawPairs`](crate::RawPairs)); it is never made a tree of values.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::money::Number;

/// An object to be written.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Field<'a>)>);

/// A value to be written.
#[derive(Debug)]
pub enum Field<'a> {
    /// As it was sent.
    Raw(&'a RawValue),
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(Number),
    /// A whole number.
    Integer(u64),
    /// A truth value.
    Flag(bool),
    /// An object.
    Object(Fields<'a>),
    /// A list of objects.
    List(Vec<Fields<'a>>),
}

impl<'a> Fields<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Adds a field; the first of a name stays, so that what is put first cannot be overwritten by what a site sends.
    pub fn put(&mut self, name: impl Into<Cow<'a, str>>, field: Field<'a>) {
        let name = name.into();
        if !self.has(&name) {
            self.0.push((name, field));
        }
    }

    /// Adds a text, unless there is none or it is empty.
    pub fn text(&mut self, name: impl Into<Cow<'a, str>>, text: Option<impl Into<Cow<'a, str>>>) {
        let Some(text) = text.map(Into::into).filter(|text| !text.is_empty()) else { return };
        self.put(name, Field::Text(text));
    }

    /// Adds a number, unless there is none or JSON cannot say it.
    pub fn number(&mut self, name: impl Into<Cow<'a, str>>, number: Option<Number>) {
        if let Some(number) = number.filter(|number| number.0.is_finite()) {
            self.put(name, Field::Number(number));
        }
    }

    /// Adds an object, unless it is empty.
    pub fn object(&mut self, name: impl Into<Cow<'a, str>>, object: Fields<'a>) {
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
            Field::Integer(number) => serializer.serialize_u64(*number),
            Field::Flag(flag) => serializer.serialize_bool(*flag),
            Field::Object(fields) => fields.serialize(serializer),
            Field::List(list) => serializer.collect_seq(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RawPairs;

    fn written(fields: &Fields<'_>) -> String {
        serde_json::to_string(fields).unwrap()
    }

    #[test]
    fn what_an_event_brings_is_written_as_it_came() {
        let own = RawPairs::parse(r#"{"big":12345678901234567890.10,"deep":{"a":[1, 2]},"none":null}"#).without_nulls();
        let mut fields = Fields::default();
        for (name, value) in own.iter() {
            fields.put(name, Field::Raw(value));
        }
        assert_eq!(written(&fields), r#"{"big":12345678901234567890.10,"deep":{"a":[1, 2]}}"#);
    }

    #[test]
    fn the_first_field_of_a_name_stays() {
        let mut fields = Fields::default();
        fields.text("a", Some("one"));
        fields.text("a", Some("two"));
        assert_eq!(written(&fields), r#"{"a":"one"}"#);
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let mut fields = Fields::default();
        fields.text("a", Some(""));
        fields.number("b", Some(Number(f64::NAN)));
        fields.object("c", Fields::default());
        assert!(fields.is_empty());
        fields.put("d", Field::List(vec![Fields::default()]));
        fields.put("e", Field::Flag(true));
        fields.put("f", Field::Integer(u64::MAX));
        fields.number("g", Some(Number(2.0)));
        assert_eq!(fields.len(), 4);
        assert_eq!(written(&fields), r#"{"d":[{}],"e":true,"f":18446744073709551615,"g":2}"#);
    }
}
