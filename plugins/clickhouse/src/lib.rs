//! ClickHouse: one event to one line of an `INSERT … FORMAT JSONEachRow` over the HTTP interface.
//!
//! Owns the columns (`table.sql` beside it says them in SQL), the insert's settings, and what ClickHouse's exceptions
//! mean. Sources: "HTTP Interface", "JSONEachRow", "Asynchronous Inserts" and "ReplacingMergeTree" on
//! clickhouse.com/docs; `src/Common/ErrorCodes.cpp` and `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp` of
//! github.com/ClickHouse/ClickHouse.

mod answer;
mod config;

use tidegate_plugin_sdk::row::{self, Row};
use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct ClickHouse;
tidegate_plugin_sdk::export!(ClickHouse);

impl Plugin for ClickHouse {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let names = row::names(&event, &config.events, config.custom_events)?;
        names.into_iter().map(|name| insert(&row::of(&event, name, &ctx, row::Json::Object)?, &config)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}

/// The insert of one row. All but the body is the same for every row of a destination, so that they can be joined.
fn insert(row: &Row<'_>, config: &config::Config<'_>) -> Result<Request, Rejection> {
    let statement = ["INSERT INTO ", &config.database, ".", &config.table, " FORMAT JSONEachRow"].concat();
    let mut request = Request::json("rows", row)?.with_query("query", statement);
    if config.async_insert {
        // Without waiting, ClickHouse answers before it has written, and loses what it cannot write without a word.
        request = request.with_query("async_insert", "1").with_query("wait_for_async_insert", "1");
    }
    Ok(request
        // Times are ISO 8601 with a zone, which the basic format does not read.
        .with_query("date_time_input_format", "best_effort")
        // A table of an older schema version, or with fewer columns, goes on working.
        .with_query("input_format_skip_unknown_fields", "1"))
}
