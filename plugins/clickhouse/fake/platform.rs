//! ClickHouse's HTTP interface: `POST /?query=INSERT INTO … FORMAT JSONEachRow`, with one table, `table.sql`.
//!
//! Sources: "HTTP Interface" and "Asynchronous Inserts" on clickhouse.com/docs; the codes, their statuses and the form
//! of an exception's text from github.com/ClickHouse/ClickHouse (`src/Common/ErrorCodes.cpp`,
//! `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`) and from answers in its issues. Stricter than ClickHouse: it takes
//! only the types that the plugin means to send, where ClickHouse converts some, and lists what it skips and what it
//! may lose in silence as problems.

mod table;

use serde_json::Value;

use crate::{Answer, Judgement, Platform, Received, Trouble};
use table::{Fault, Table};

/// `default` is there in every server.
const DATABASES: [&str; 2] = ["default", "shop"];
const TABLE: &str = "events";
const USER: &str = "tidegate";
const PASSWORD: &str = "password-of-the-fake";

/// A server with the user and the table of `destination.toml`.
pub(crate) fn platform() -> ClickHouse {
    ClickHouse { table: Table::of_the_plugin() }
}

/// A ClickHouse that knows one user and one table.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouse {
    table: Table,
}

impl Platform for ClickHouse {
    fn name(&self) -> &'static str {
        "clickhouse"
    }

    fn judge(&self, request: &Received, _: i64) -> Judgement {
        match self.insert(request) {
            Ok((events, problems)) => Judgement { answer: inserted(), events, problems },
            Err(exception) => {
                let problems = vec![exception.text()];
                Judgement { answer: exception.answer(), events: Vec::new(), problems }
            }
        }
    }

    fn trouble(&self, trouble: Trouble, _: &Received, _: i64) -> Option<Judgement> {
        let exception = match trouble {
            Trouble::Throttled => Exception::new(
                202,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                "Too many simultaneous queries. Maximum: 1000".to_owned(),
            ),
            Trouble::CredentialsRefused => unauthenticated(),
            Trouble::Unavailable => Exception::new(210, "NETWORK_ERROR", "Connection refused (keeper:9181)".to_owned()),
            // An insert is all or nothing: the rows behind the bad one are not taken either.
            Trouble::FirstRefused => Exception::new(
                27,
                "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
                "Cannot parse input: (while reading the value of key event_time): While executing WaitForAsyncInsert: \
                 (at row 1)\n"
                    .to_owned(),
            ),
        };
        Some(Judgement { answer: exception.answer(), events: Vec::new(), problems: Vec::new() })
    }
}

impl ClickHouse {
    /// The rows that are inserted, and what is wrong with the request all the same.
    fn insert(&self, request: &Received) -> Result<(Vec<Value>, Vec<String>), Exception> {
        if request.path != "/" {
            let text = format!("There is no handle {}", request.path);
            return Err(Exception { status: Some(404), ..Exception::new(0, "", text) });
        }
        authenticate(request)?;
        if request.method != "POST" {
            let text = "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly.";
            return Err(Exception::new(164, "READONLY", text.to_owned()));
        }
        statement(request.query_value("query").unwrap_or_default())?;
        let skips = request.query_value("input_format_skip_unknown_fields") == Some("1");
        let mut problems = settings_problems(request);
        let mut rows = Vec::new();
        for (index, line) in request.body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let row: Value = serde_json::from_slice(line).map_err(|e| at_row(index, unreadable(&e.to_string())))?;
            let columns = row.as_object().ok_or_else(|| at_row(index, unreadable("expected '{'")))?;
            let unknown = self.table.check(columns).map_err(|fault| at_row(index, fault))?;
            if let (Some(name), false) = (unknown.first(), skips) {
                let what = format!("Unknown field found while parsing JSONEachRow format: {name}");
                return Err(at_row(index, Fault { code: 117, name: "INCORRECT_DATA", what }));
            }
            problems.extend(unknown.iter().map(|name| format!("row {index}: no column `{name}`: its value is lost")));
            rows.push(row);
        }
        if rows.is_empty() {
            problems.push("an insert without rows".to_owned());
        }
        Ok((rows, problems))
    }
}

/// What ClickHouse throws.
struct Exception {
    code: u32,
    name: &'static str,
    what: String,
    /// A status that no code stands for.
    status: Option<u16>,
}

impl Exception {
    fn new(code: u32, name: &'static str, what: String) -> Exception {
        Exception { code, name, what, status: None }
    }

    fn text(&self) -> String {
        let Exception { code, name, what, .. } = self;
        if *code == 0 {
            return format!("{what}\n");
        }
        format!("Code: {code}. DB::Exception: {what}. ({name}) (version 25.8.2.29 (official build))\n")
    }

    fn answer(&self) -> Answer {
        let answer = Answer::text(self.status.unwrap_or(status(self.code)), self.text())
            .header("content-type", "text/plain; charset=UTF-8");
        match self.code {
            0 => answer,
            code => answer.header("x-clickhouse-exception-code", code.to_string()),
        }
    }
}

/// `exceptionCodeToHTTPStatus`, for the codes that are thrown here.
fn status(code: u32) -> u16 {
    match code {
        194 => 401,
        192 | 193 | 497 | 512 | 516 => 403,
        6 | 25 | 26 | 27 | 36 | 38 | 41 | 53 | 62 | 72 | 117 | 321 | 376 => 400,
        47 | 60 | 73 | 81 | 115 => 404,
        159 => 408,
        209 | 439 => 503,
        _ => 500,
    }
}

fn inserted() -> Answer {
    let summary = r#"{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0"}"#;
    Answer::text(200, "")
        .header("content-type", "text/tab-separated-values; charset=UTF-8")
        .header("x-clickhouse-summary", summary)
}

fn authenticate(request: &Received) -> Result<(), Exception> {
    if request.header("authorization").is_none() {
        return Err(Exception::new(194, "REQUIRED_PASSWORD", "default: password is required".to_owned()));
    }
    let is_known = request.basic().is_some_and(|(user, password)| (&*user, &*password) == (USER, PASSWORD));
    if is_known { Ok(()) } else { Err(unauthenticated()) }
}

fn unauthenticated() -> Exception {
    let what = format!("{USER}: Authentication failed: password is incorrect, or there is no user with such name");
    Exception::new(516, "AUTHENTICATION_FAILED", what)
}

/// Checks `INSERT INTO shop.events FORMAT JSONEachRow`: that there is such a table.
fn statement(query: &str) -> Result<(), Exception> {
    let table = query.strip_prefix("INSERT INTO ").and_then(|rest| rest.strip_suffix(" FORMAT JSONEachRow"));
    let Some((database, table)) = table.and_then(|table| table.split_once('.')) else {
        let what = format!("Syntax error: failed at position 1 ({query})");
        return Err(Exception::new(62, "SYNTAX_ERROR", what));
    };
    if !DATABASES.contains(&database) {
        return Err(Exception::new(81, "UNKNOWN_DATABASE", format!("Database {database} does not exist")));
    }
    if table != TABLE {
        return Err(Exception::new(60, "UNKNOWN_TABLE", format!("Table {database}.{table} does not exist")));
    }
    Ok(())
}

fn settings_problems(request: &Received) -> Vec<String> {
    let is = |name: &str, value: &str| request.query_value(name) == Some(value);
    let mut problems = Vec::new();
    if is("async_insert", "1") && !is("wait_for_async_insert", "1") {
        problems.push("async_insert without wait_for_async_insert: what cannot be written is lost".to_owned());
    }
    if !is("date_time_input_format", "best_effort") {
        problems.push("ISO 8601 with a zone needs date_time_input_format=best_effort".to_owned());
    }
    problems
}

fn unreadable(why: &str) -> Fault {
    let what = format!("Cannot parse input: {why}");
    Fault { code: 27, name: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", what }
}

fn at_row(index: usize, fault: Fault) -> Exception {
    let what = format!("{}: While executing WaitForAsyncInsert: (at row {})\n", fault.what, index + 1);
    Exception::new(fault.code, fault.name, what)
}
