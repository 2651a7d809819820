//! The schema that the topic's consumers go by, the plugin's own `schema.json`, as far as it says types.

use serde_json::Value;

use crate::form::is_iso8601;

/// A record's JSON Schema.
#[derive(Debug, Clone)]
pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn of_the_plugin() -> Schema {
        Schema(serde_json::from_str(include_str!("../schema.json")).unwrap_or_default())
    }

    /// What of a record no consumer expects.
    pub(super) fn problems(&self, record: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        let mut open = vec![("$".to_owned(), &self.0, record)];
        while let Some((at, schema, value)) = open.pop() {
            if let Some(problem) = problem(schema, value) {
                problems.push(format!("{at} {problem}: {value}"));
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            problems.extend(
                required.filter(|name| value.get(name).is_none()).map(|name| format!("{at}.{name} is missing")),
            );
            if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
                for (name, value) in object {
                    match properties.get(name) {
                        Some(schema) => open.push((format!("{at}.{name}"), schema, value)),
                        None => problems.push(format!("{at}.{name} is not in the schema")),
                    }
                }
            }
            if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
                open.extend(list.iter().enumerate().map(|(index, value)| (format!("{at}[{index}]"), items, value)));
            }
        }
        problems
    }
}

fn problem(schema: &Value, value: &Value) -> Option<String> {
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        return Some(format!("is no {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Some(format!("is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return Some("is none of the known".to_owned());
    }
    if schema["format"] == "date-time" && !value.as_str().is_some_and(is_iso8601) {
        return Some("is no time".to_owned());
    }
    None
}
