//! The table that the fake has, `schema.json`, and whether a row fits it.

use serde::Deserialize;
use serde_json::Value;

use crate::form::is_iso8601;

/// The columns of the table, in their order.
#[derive(Debug, Clone)]
pub(super) struct Table(Vec<Column>);

#[derive(Debug, Clone, Deserialize)]
struct Column {
    name: String,
    r#type: String,
    mode: String,
    #[serde(default)]
    fields: Vec<Column>,
}

/// What is wrong with a row.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Where, and what: the first fault.
    pub(super) fault: Option<(String, String)>,
    /// The names of values that no column takes.
    pub(super) unknown: Vec<String>,
}

impl Table {
    /// The table of the plugin's own `schema.json`.
    pub(super) fn of_the_plugin() -> Table {
        Table(serde_json::from_str(include_str!("../schema.json")).unwrap_or_default())
    }

    pub(super) fn check(&self, row: &Value) -> Checked {
        let mut checked = Checked::default();
        record("", &self.0, row, &mut checked);
        checked
    }
}

impl Checked {
    fn fault(&mut self, at: &str, message: String) {
        self.fault.get_or_insert((at.to_owned(), message));
    }
}

fn record(at: &str, columns: &[Column], value: &Value, checked: &mut Checked) {
    let Some(row) = value.as_object() else {
        return checked.fault(at, format!("This field: {at} is not a record."));
    };
    for column in columns {
        let at = if at.is_empty() { column.name.clone() } else { format!("{at}.{}", column.name) };
        match (row.get(&column.name), column.mode.as_str()) {
            (None | Some(Value::Null), "REQUIRED") => checked.fault(&at, format!("Missing required field: {at}.")),
            (None | Some(Value::Null), _) => {}
            (Some(Value::Array(list)), "REPEATED") => {
                for one in list {
                    single(&at, column, one, checked);
                }
            }
            (Some(_), "REPEATED") => checked.fault(&at, format!("Field {at} is repeated, and got no array.")),
            (Some(value), _) => single(&at, column, value, checked),
        }
    }
    let is_known = |name: &String| columns.iter().any(|column| column.name == *name);
    checked.unknown.extend(
        row.keys()
            .filter(|name| !is_known(name))
            .map(|name| if at.is_empty() { name.clone() } else { format!("{at}.{name}") }),
    );
}

fn single(at: &str, column: &Column, value: &Value, checked: &mut Checked) {
    let fits = match column.r#type.as_str() {
        "RECORD" => return record(at, &column.fields, value, checked),
        "STRING" => value.is_string(),
        "INTEGER" => value.is_i64() || value.is_u64(),
        "NUMERIC" => value.as_f64().is_some_and(|number| number.abs() < 1e29),
        "BOOLEAN" => value.is_boolean(),
        "TIMESTAMP" => value.as_str().is_some_and(is_iso8601),
        // A JSON value comes as its text.
        "JSON" => value.as_str().is_some_and(|text| serde_json::from_str::<Value>(text).is_ok()),
        _ => false,
    };
    if !fits {
        checked.fault(at, format!("Cannot convert value to {}: {value}", column.r#type.to_lowercase()));
    }
}
