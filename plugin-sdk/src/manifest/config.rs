//! Defaults of a plugin's configuration. Checking one against the schema is the gateway's: its validator is too large
//! for a plugin's tests.

use serde_json::Value;

/// Fills `value` with the `default` of every property that it lacks, and goes down into the objects it has.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    let (Some(properties), Value::Object(map)) = (schema.get("properties").and_then(Value::as_object), value) else {
        return;
    };
    for (name, property) in properties {
        match (map.get_mut(name), property.get("default")) {
            (Some(present), _) => fill(property, present),
            (None, Some(default)) => {
                let mut default = default.clone();
                fill(property, &mut default);
                map.insert(name.clone(), default);
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_filled_in_at_every_depth() {
        let schema = json!({ "type": "object", "properties": {
            "version": { "type": "string", "default": "v26.0" },
            "pixel": { "type": "string" },
            "region": { "type": "object", "default": {}, "properties": { "country": { "default": 0 } } },
            "given": { "type": "object", "properties": { "a": { "default": 1 }, "b": { "default": 2 } } },
        } });
        let mut value = json!({ "given": { "b": 3 } });
        fill(&schema, &mut value);
        assert_eq!(value, json!({ "given": { "a": 1, "b": 3 }, "version": "v26.0", "region": { "country": 0 } }));
    }

    #[test]
    fn what_is_no_object_stays_as_it_is() {
        let mut value = json!("text");
        fill(&json!({ "properties": { "a": { "default": 1 } } }), &mut value);
        assert_eq!(value, json!("text"));
    }
}
