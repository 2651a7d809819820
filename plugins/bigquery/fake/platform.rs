//! BigQuery's streaming inserts, `POST /bigquery/v2/projects/…/insertAll`, with one table, `schema.json`; and Google's
//! token endpoint, `POST /token`, on the same server.
//!
//! Sources: "Method: tabledata.insertAll", "Error messages" and "Quotas and limits" on cloud.google.com/bigquery/docs;
//! "Using OAuth 2.0 for Server to Server Applications" on developers.google.com/identity. Stricter than BigQuery: it
//! takes only the types that the plugin means to send, where BigQuery converts some, and lists values that it drops in
//! silence as problems.

mod assertion;
mod table;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble, token};
use table::Table;

const PROJECT: &str = "tidegate-fake-project";
const DATASET: &str = "shop";
const TABLE: &str = "events";
const ISSUED: &str = "ya29.access-token-of-the-fake";

const BODY_BYTES_MAX: usize = 10 << 20;
const ROWS_MAX: usize = 50_000;
const INSERT_ID_CHARS_MAX: usize = 128;

/// A project with the account, the dataset and the table of `destination.toml`.
pub(crate) fn platform() -> BigQuery {
    BigQuery { table: Table::of_the_plugin() }
}

/// A BigQuery that knows one service account and one table.
#[derive(Debug, Clone)]
pub(crate) struct BigQuery {
    table: Table,
}

impl Platform for BigQuery {
    fn name(&self) -> &'static str {
        "bigquery"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if request.path == token::PATH {
            return assertion::judge(request, now_ms, ISSUED);
        }
        match refusal(request) {
            Some(refusal) => Judgement {
                answer: refusal.answer(),
                events: Vec::new(),
                problems: vec![format!("{}: {}", refusal.reason, refusal.message)],
            },
            None => self.insert(request),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let is_token = request.path == token::PATH;
        let answer = match trouble {
            Trouble::CredentialsRefused if is_token => assertion::refused(),
            Trouble::CredentialsRefused => unauthenticated().answer(),
            // Only the API has limits and rows; tokens are issued all the same.
            _ if is_token => return Some(assertion::judge(request, now_ms, ISSUED)),
            Trouble::Throttled => Refusal {
                status: 403,
                reason: "rateLimitExceeded",
                name: "PERMISSION_DENIED",
                message: "Exceeded rate limits: too many requests per second for this project".to_owned(),
            }
            .answer(),
            Trouble::Unavailable => Refusal {
                status: 503,
                reason: "backendError",
                name: "UNAVAILABLE",
                message: "Error encountered during execution. Retrying may solve the problem.".to_owned(),
            }
            .answer(),
            Trouble::FirstRefused => return Some(first_refused(request)),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl BigQuery {
    /// Inserts the rows that fit the table: all that do, or none where one does not and they are not to be skipped.
    fn insert(&self, request: &Received) -> Judgement {
        let body = request.json.clone().unwrap_or_default();
        let takes = |name: &str| body[name].as_bool().unwrap_or(false);
        let (mut events, mut listed, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        let rows = rows(request);
        for (index, row) in rows.iter().enumerate() {
            match row["insertId"].as_str().map(|id| id.chars().count()) {
                Some(1..=INSERT_ID_CHARS_MAX) => {}
                _ => problems.push(format!("row {index}: no insertId of 1 to {INSERT_ID_CHARS_MAX} characters")),
            }
            let checked = self.table.check(&row["json"]);
            let fault = checked.fault.or_else(|| {
                let name = checked.unknown.first().filter(|_| !takes("ignoreUnknownValues"))?;
                Some((name.clone(), format!("no such field: {name}.")))
            });
            problems.extend(checked.unknown.iter().map(|name| format!("row {index}: no column `{name}`: it is lost")));
            match fault {
                Some((at, message)) => {
                    problems.push(format!("row {index}: {message}"));
                    listed.push(row_error(index, "invalid", &at, &message));
                }
                None => events.push(row["json"].clone()),
            }
        }
        if !listed.is_empty() && !takes("skipInvalidRows") {
            events.clear();
            let refused: Vec<Value> = listed.iter().map(|row| row["index"].clone()).collect();
            let others = (0..rows.len()).filter(|index| !refused.contains(&json!(index)));
            listed.extend(others.map(|index| row_error(index, "stopped", "", "")));
        }
        Judgement { answer: inserted(listed), events, problems }
    }
}

/// What BigQuery says instead of looking at the rows.
struct Refusal {
    status: u16,
    reason: &'static str,
    name: &'static str,
    message: String,
}

impl Refusal {
    fn answer(&self) -> Answer {
        let Refusal { status, reason, name, message } = self;
        let errors = json!([{ "message": message, "domain": "global", "reason": reason }]);
        Answer::json(
            *status,
            &json!({ "error": { "code": status, "message": message, "errors": errors, "status": name } }),
        )
    }
}

fn refusal(request: &Received) -> Option<Refusal> {
    let authorization = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    if authorization != Some(ISSUED) {
        return Some(unauthenticated());
    }
    let not_found = |message: String| Some(Refusal { status: 404, reason: "notFound", name: "NOT_FOUND", message });
    let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let ["bigquery", "v2", "projects", project, "datasets", dataset, "tables", table, "insertAll"] = path[..] else {
        return not_found(format!("The requested URL {} was not found on this server.", request.path));
    };
    if (project, dataset) != (PROJECT, DATASET) {
        return not_found(format!("Not found: Dataset {project}:{dataset}"));
    }
    if table != TABLE {
        return not_found(format!("Not found: Table {project}:{dataset}.{table}"));
    }
    let invalid = |status: u16, message: &str| {
        Some(Refusal { status, reason: "invalid", name: "INVALID_ARGUMENT", message: message.to_owned() })
    };
    if request.method != "POST" {
        return invalid(405, "insertAll is a POST");
    }
    if request.body.len() > BODY_BYTES_MAX {
        return invalid(413, "Request payload size exceeds the limit: 10485760 bytes.");
    }
    match rows(request).len() {
        0 => invalid(400, "No rows present in the request."),
        count if count > ROWS_MAX => invalid(400, "too many rows present in the request, limit: 50000"),
        _ => None,
    }
}

fn unauthenticated() -> Refusal {
    Refusal {
        status: 401,
        reason: "authError",
        name: "UNAUTHENTICATED",
        message:
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                  valid authentication credential."
                .to_owned(),
    }
}

fn rows(request: &Received) -> Vec<Value> {
    request.json.as_ref().and_then(|body| body["rows"].as_array()).cloned().unwrap_or_default()
}

fn first_refused(request: &Received) -> Judgement {
    let rows = rows(request);
    let listed = rows.first().map(|_| row_error(0, "invalid", "value", "Invalid NUMERIC value: 1e300")).into_iter();
    let events = rows.iter().skip(1).map(|row| row["json"].clone()).collect();
    Judgement { answer: inserted(listed.collect()), events, problems: Vec::new() }
}

fn row_error(index: usize, reason: &str, location: &str, message: &str) -> Value {
    let error = json!({ "reason": reason, "location": location, "debugInfo": "", "message": message });
    json!({ "index": index, "errors": [error] })
}

fn inserted(listed: Vec<Value>) -> Answer {
    let mut body = json!({ "kind": "bigquery#tableDataInsertAllResponse" });
    if !listed.is_empty() {
        body["insertErrors"] = Value::Array(listed);
    }
    Answer::json(200, &body)
}
