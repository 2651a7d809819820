//! The table that the fake has: `table.sql`, read as far as its columns need, and whether a row of JSON fits it.

use serde_json::{Map, Value};

use crate::form::is_iso8601;

/// What a column takes.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    Text,
    Time,
    Whole,
    Number,
    Truth,
    Nullable(Box<Type>),
    List(Box<Type>),
    Tuple(Vec<(String, Type)>),
}

/// The columns of the table, in their order.
#[derive(Debug, Clone)]
pub(super) struct Table(Vec<(String, Type)>);

/// Why a row is refused.
pub(super) struct Fault {
    pub(super) code: u32,
    pub(super) name: &'static str,
    pub(super) what: String,
}

impl Table {
    /// The table of the plugin's own `table.sql`.
    pub(super) fn of_the_plugin() -> Table {
        let lines = include_str!("../table.sql").lines().filter_map(|line| line.strip_prefix("    "));
        let definitions = lines.filter(|line| !line.starts_with("--")).map(|line| line.trim_end_matches(','));
        Table(definitions.filter_map(column).collect())
    }

    /// Checks a row, and gives the names of its values that no column takes.
    pub(super) fn check(&self, row: &Map<String, Value>) -> Result<Vec<String>, Fault> {
        let mut unknown = Vec::new();
        for (name, value) in row {
            match self.0.iter().find(|(column, _)| column == name) {
                None => unknown.push(name.clone()),
                Some((_, kind)) if kind.takes(value) => {}
                Some((_, kind)) => return Err(fault(name, kind, value)),
            }
        }
        Ok(unknown)
    }
}

impl Type {
    fn takes(&self, value: &Value) -> bool {
        match self {
            // `input_format_json_read_objects_as_strings` is on by default.
            Type::Text => value.is_string() || value.is_object(),
            Type::Time => value.as_str().is_some_and(is_iso8601),
            Type::Whole => value.is_u64(),
            Type::Number => value.is_number(),
            Type::Truth => value.is_boolean(),
            Type::Nullable(inner) => value.is_null() || inner.takes(value),
            Type::List(inner) => value.as_array().is_some_and(|list| list.iter().all(|value| inner.takes(value))),
            Type::Tuple(elements) => value.as_object().is_some_and(|object| {
                let takes = |(name, value): (&String, &Value)| {
                    elements.iter().any(|(element, kind)| element == name && kind.takes(value))
                };
                object.iter().all(takes)
            }),
        }
    }
}

fn fault(column: &str, kind: &Type, value: &Value) -> Fault {
    let (code, name, what) = match kind {
        Type::Text => (26, "CANNOT_PARSE_QUOTED_STRING", "Cannot parse JSON string: expected opening quote"),
        Type::Time => (41, "CANNOT_PARSE_DATETIME", "Cannot parse DateTime"),
        Type::Truth => (467, "CANNOT_PARSE_BOOL", "Cannot parse Bool"),
        _ => (27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED", "Cannot parse input"),
    };
    Fault { code, name, what: format!("{what}: {value}: (while reading the value of key {column})") }
}

/// `name Type`.
fn column(text: &str) -> Option<(String, Type)> {
    let (name, kind) = text.trim().split_once(' ')?;
    Some((name.to_owned(), kind_of(kind)?))
}

fn kind_of(text: &str) -> Option<Type> {
    let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(inner) = inside("Nullable") {
        return Some(Type::Nullable(Box::new(kind_of(inner)?)));
    }
    if let Some(inner) = inside("LowCardinality") {
        return kind_of(inner);
    }
    if let Some(inner) = inside("Array") {
        return Some(Type::List(Box::new(kind_of(inner)?)));
    }
    if let Some(inner) = inside("Tuple") {
        return Some(Type::Tuple(split(inner).into_iter().filter_map(column).collect()));
    }
    match text.split('(').next()? {
        "String" => Some(Type::Text),
        "DateTime64" => Some(Type::Time),
        "UInt8" | "UInt32" | "UInt64" => Some(Type::Whole),
        "Decimal" | "Float64" => Some(Type::Number),
        "Bool" => Some(Type::Truth),
        _ => None,
    }
}

/// The parts between commas that stand in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
