//! Reading one field of a JSON object, with an error that says where, what was expected, and what was found.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The path to it, such as `properties.order_value`; empty for the whole.
    pub field: String,
    /// What was expected.
    pub expected: &'static str,
    /// What was found, briefly.
    pub found: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the body" } else { &self.field };
        write!(f, "{field}: expected {}, found {}", self.expected, self.found)
    }
}

impl FieldError {
    /// The message without the client's own words, which may be personal: a refused event has no consent to keep them.
    pub fn without_value(&self) -> String {
        let found = match self.found.as_str() {
            text if text.starts_with("the text ") => "text",
            number if number.starts_with("the number ") => "a number",
            other => other,
        };
        FieldError { found: found.to_owned(), ..self.clone() }.to_string()
    }
}

impl From<tidegate_consent::FieldError> for FieldError {
    fn from(error: tidegate_consent::FieldError) -> FieldError {
        let tidegate_consent::FieldError { field, expected, found } = error;
        FieldError { field, expected, found }
    }
}

/// An error about a value that is of the wrong type.
pub(super) fn wrong(field: impl Into<String>, expected: &'static str, found: &Value) -> FieldError {
    FieldError { field: field.into(), expected, found: describe(found) }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            format!("the text {short:?}{}", if short.len() < text.len() { "…" } else { "" })
        }
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".into(),
    }
}

/// An object with the path that leads to it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    path: &'a str,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// The outermost object.
    pub(super) fn root(object: &'a Map<String, Value>) -> Fields<'a> {
        Fields { path: "", object: Some(object) }
    }

    /// An object inside the outermost one; `path` is its name there. Absent and null are an empty one.
    pub(super) fn inner(self, path: &'a str) -> Result<Fields<'a>, FieldError> {
        let name = path.rsplit('.').next().unwrap_or(path);
        match self.get(name) {
            None => Ok(Fields { path, object: None }),
            Some(Value::Object(object)) => Ok(Fields { path, object: Some(object) }),
            Some(other) => Err(wrong(path, "an object", other)),
        }
    }

    pub(super) fn object(self) -> Option<&'a Map<String, Value>> {
        self.object
    }

    /// A field that is there and not null.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.object?.get(name).filter(|value| !value.is_null())
    }

    /// The first of several names that is there.
    pub(super) fn first(self, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        names.iter().find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    pub(super) fn path_of(self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Text that is not empty.
    pub(super) fn text(self, names: &[&'static str]) -> Result<Option<String>, FieldError> {
        match self.first(names) {
            None => Ok(None),
            Some((_, Value::String(text))) if text.trim().is_empty() => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.clone())),
            Some((name, other)) => Err(wrong(self.path_of(name), "text", other)),
        }
    }

    /// Text, or a whole number that stands for it: ids are often sent so.
    pub(super) fn id(self, names: &[&'static str]) -> Result<Option<String>, FieldError> {
        match self.first(names) {
            Some((_, Value::Number(number))) if !number.is_f64() => Ok(Some(number.to_string())),
            _ => self.text(names),
        }
    }

    /// A finite number. Text is refused: a revenue sent as text corrupts what it is added to.
    pub(super) fn number(self, names: &[&'static str]) -> Result<Option<f64>, FieldError> {
        match self.first(names) {
            None => Ok(None),
            Some((name, value)) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(wrong(self.path_of(name), "a number", value)),
            },
        }
    }

    /// A moment as ISO 8601 text with an offset, or as Unix milliseconds.
    pub(super) fn time_ms(self, names: &[&'static str]) -> Result<Option<u64>, FieldError> {
        match self.first(names) {
            None => Ok(None),
            Some((name, value)) => time_ms(value)
                .map(Some)
                .ok_or_else(|| wrong(self.path_of(name), "a time such as \"2026-01-15T14:32:00Z\"", value)),
        }
    }
}

/// A moment in Unix milliseconds.
pub(super) fn time_ms(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => u64::try_from(text.trim().parse::<Timestamp>().ok()?.as_millisecond()).ok(),
        // Fewer digits would be seconds, and reading them as milliseconds would silently give 1970.
        Value::Number(number) => number.as_u64().filter(|ms| *ms >= 100_000_000_000),
        _ => None,
    }
}
