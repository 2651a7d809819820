//! Says where two JSON values differ, a line for each place.

use serde_json::Value;

/// The most lines that help anyone.
const LINES_MAX: usize = 40;

/// Where `actual` differs from `expected`.
pub(super) fn lines(expected: &Value, actual: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", Some(expected), Some(actual), &mut lines);
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} more differences"));
    }
    lines
}

fn walk(path: &str, expected: Option<&Value>, actual: Option<&Value>, lines: &mut Vec<String>) {
    match (expected, actual) {
        (Some(expected), Some(actual)) if expected == actual => {}
        (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
            for (key, value) in expected {
                walk(&join(path, key), Some(value), actual.get(key), lines);
            }
            for (key, value) in actual.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                walk(&join(path, key), None, Some(value), lines);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
            for index in 0..expected.len().max(actual.len()) {
                walk(&format!("{path}[{index}]"), expected.get(index), actual.get(index), lines);
            }
        }
        (Some(expected), Some(actual)) => lines.push(format!("{path}: expected {expected}, got {actual}")),
        (Some(expected), None) => lines.push(format!("{path}: expected {expected}, got nothing")),
        (None, Some(actual)) => lines.push(format!("{path}: expected nothing, got {actual}")),
        (None, None) => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
