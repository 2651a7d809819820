//! What is wrong with a signal: a field that its sender has to mend, or a string that no sender can.

use std::fmt;

use serde_json::Value;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The path to it, such as `consent.google.ad_storage`.
    pub field: String,
    /// What was expected.
    pub expected: &'static str,
    /// What was found, briefly.
    pub found: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.field, self.expected, self.found)
    }
}

impl FieldError {
    /// An error about a value that is of the wrong type or content.
    pub(crate) fn wrong(field: impl Into<String>, expected: &'static str, found: &Value) -> FieldError {
        FieldError { field: field.into(), expected, found: describe(found) }
    }

    /// An error about text that is not as it should be.
    pub(crate) fn wrong_text(field: impl Into<String>, expected: &'static str, found: &str) -> FieldError {
        FieldError { field: field.into(), expected, found: describe_text(found) }
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => describe_text(text),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".into(),
    }
}

fn describe_text(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("the text {short:?}{}", if short.len() < text.len() { "…" } else { "" })
}

/// Why a consent string could not be read. It counts as a refusal; the event is taken all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than any real one.
    #[error("it is longer than {max} characters")]
    TooLong {
        /// How long it may be.
        max: usize,
    },
    /// A character that is none of URL-safe Base64.
    #[error("it has a character that is no URL-safe Base64")]
    Character,
    /// It ends too early.
    #[error("it ends before all of it is said")]
    Truncated,
    /// A version that nobody here knows.
    #[error("its version or type is not known")]
    Version,
    /// What it says cannot be so.
    #[error("it contradicts itself")]
    Contradiction,
}
