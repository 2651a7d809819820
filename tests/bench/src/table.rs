//! Figures with their baselines: as a table, and as JSON.

use anyhow::Context as _;
use serde_json::{Value, json};

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// What it is compared with, in the same unit.
    pub(crate) baseline: f64,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &str, baseline: f64) -> Row {
        Row { name: name.into(), value, unit: unit.into(), baseline }
    }

    /// A row that another benchmark printed.
    pub(crate) fn from_json(row: &Value) -> anyhow::Result<Row> {
        let number = |key: &str| row[key].as_f64().with_context(|| format!("`{key}` in {row}"));
        let text = |key: &str| row[key].as_str().with_context(|| format!("`{key}` in {row}"));
        Ok(Row::new(text("name")?, number("value")?, text("unit")?, number("baseline")?))
    }

    fn ratio(&self) -> f64 {
        self.value / self.baseline
    }
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name, "value": row.value, "unit": row.unit, "baseline": row.baseline, "ratio": row.ratio(),
        })
    };
    rows.iter().map(row).collect()
}

pub(crate) fn print(rows: &[Row]) {
    println!("\n{:<44}{:>12} {:<18}{:>12}{:>9}", "", "value", "unit", "baseline", "ratio");
    for row in rows {
        println!("{:<44}{:>12.2} {:<18}{:>12.2}{:>9.2}", row.name, row.value, row.unit, row.baseline, row.ratio());
    }
}
