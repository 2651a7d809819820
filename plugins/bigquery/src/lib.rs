//! BigQuery: one event to one row of a `tabledata.insertAll`, the streaming inserts over REST.
//!
//! Owns the columns (`schema.json` beside it says them in BigQuery's own form) and what BigQuery's answers mean.
//! Sources: "Method: tabledata.insertAll", "Use the legacy streaming API", "Error messages" and "Quotas and limits" on
//! cloud.google.com/bigquery/docs.

mod answer;
mod config;

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::row::{self, Row};
use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct BigQuery;
tidegate_plugin_sdk::export!(BigQuery);

impl Plugin for BigQuery {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let names = row::names(&event, &config.events, config.custom_events)?;
        let rows = names.into_iter().enumerate().map(|(nth, name)| {
            let row = InsertRow {
                insert_id: insert_id(&event.id, name, nth),
                json: row::of(&event, name, &ctx, row::Json::Text)?,
            };
            let body =
                Body { skip_invalid_rows: true, ignore_unknown_values: config.ignore_unknown_values, rows: [row] };
            Request::json("rows", &body)
        });
        rows.collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}

/// The request's body. All but the rows is the same for every event of a destination, so that they can be joined.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    /// "Insert all valid rows of a request, even if invalid rows exist."
    skip_invalid_rows: bool,
    ignore_unknown_values: bool,
    rows: [InsertRow<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InsertRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    insert_id: Option<Cow<'a, str>>,
    json: Row<'a>,
}

/// The most characters of an `insertId` ("Quotas and limits", streaming inserts).
const INSERT_ID_CHARS_MAX: usize = 128;

/// By what BigQuery drops a row that comes again within about a minute: the event's id, with its name where it is
/// another row of the same event. One that is too long is left out, as it would fail the row.
fn insert_id<'a>(id: &'a str, name: &str, nth: usize) -> Option<Cow<'a, str>> {
    let id = if nth == 0 { Cow::Borrowed(id) } else { Cow::Owned([id, "/", name].concat()) };
    (id.chars().count() <= INSERT_ID_CHARS_MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_an_event_has_an_id_of_its_own_that_fits() {
        assert_eq!(insert_id("evt_1", "sign_up", 0).as_deref(), Some("evt_1"));
        assert_eq!(insert_id("evt_1", "conversion", 1).as_deref(), Some("evt_1/conversion"));
        assert_eq!(insert_id(&"ä".repeat(128), "x", 0).map(|id| id.chars().count()), Some(128));
        assert_eq!(insert_id(&"ä".repeat(128), "x", 1), None);
    }
}
