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
    pub(crate) baseline: Option<f64>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &str, baseline: f64) -> Row {
        Row { name: name.into(), value, unit: unit.into(), baseline: Some(baseline) }
    }

    /// A figure that is compared with nothing.
    pub(crate) fn alone(name: impl Into<String>, value: f64, unit: &str) -> Row {
        Row { name: name.into(), value, unit: unit.into(), baseline: None }
    }

    /// A row that another benchmark printed.
    pub(crate) fn from_json(row: &Value) -> anyhow::Result<Row> {
        let number = |key: &str| row[key].as_f64().with_context(|| format!("`{key}` in {row}"));
        let text = |key: &str| row[key].as_str().with_context(|| format!("`{key}` in {row}"));
        Ok(Row::new(text("name")?, number("value")?, text("unit")?, number("baseline")?))
    }

    fn ratio(&self) -> Option<f64> {
        self.baseline.map(|baseline| self.value / baseline)
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
    println!("\n{:<56}{:>12} {:<18}{:>12}{:>9}", "", "value", "unit", "baseline", "ratio");
    let optional = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
    for row in rows {
        let (baseline, ratio) = (optional(row.baseline), optional(row.ratio()));
        println!("{:<56}{:>12.2} {:<18}{baseline:>12}{ratio:>9}", row.name, row.value, row.unit);
    }
}

/// The middle of several measurements of the same thing.
pub(crate) fn median(measured: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = measured.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The value below which this share of the sorted measurements lies.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)] as f64
}
