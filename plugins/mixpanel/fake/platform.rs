//! Mixpanel's Ingestion API: `POST /import`, `/engage` and `/groups`, the project token as the user of Basic
//! authentication for the first, and in each update for the others.
//!
//! Sources: the OpenAPI description of the Ingestion API (github.com/mixpanel/docs, `openapi/ingestion.openapi.yaml`)
//! with its responses, and "Import Events" on docs.mixpanel.com. What `/engage?strict=1` answers is described there
//! only as "a JSON object with per-record error messages"; here it has the form of `/import`'s.

mod check;

use std::cell::Cell;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

/// "We accept up to 2000 events and 10MB uncompressed per request."
const ENTRIES_MAX: usize = 2_000;
const BODY_BYTES_MAX: usize = 10_000_000;

/// A project with the token of `destination.toml`.
pub(crate) fn platform() -> Mixpanel {
    Mixpanel { project_token: "6972694d809c7390676a138834f8c890" }
}

#[derive(Debug, Clone)]
pub(crate) struct Mixpanel {
    project_token: &'static str,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Import,
    Users,
    Groups,
}

impl Kind {
    fn of(path: &str) -> Option<Kind> {
        match path {
            "/import" => Some(Kind::Import),
            "/engage" => Some(Kind::Users),
            "/groups" => Some(Kind::Groups),
            _ => None,
        }
    }
}

impl Platform for Mixpanel {
    fn name(&self) -> &'static str {
        "mixpanel"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        self.judged(request, |kind, entry| match kind {
            Kind::Import => check::event(entry, now_ms),
            Kind::Users => check::update(entry, &["$distinct_id"]),
            Kind::Groups => check::update(entry, &["$group_key", "$group_id"]),
        })
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            // "The API reference doesn't document a Retry-After header."
            Trouble::Throttled => {
                let text = "Project exceeded rate limits. Please retry the request with exponential backoff.";
                error(429, text, "Too Many Requests")
            }
            Trouble::CredentialsRefused => error(401, "Invalid credentials", "Unauthorized"),
            Trouble::Unavailable => error(503, "service unavailable", "Service Unavailable"),
            Trouble::FirstRefused => {
                let first = Cell::new(true);
                let judgement = self.judged(request, |_, _| {
                    if first.replace(false) {
                        let message = "'properties.time' is invalid: must be specified as seconds since epoch";
                        return Err(check::Fault { field: "properties.time".to_owned(), message: message.to_owned() });
                    }
                    Ok(())
                });
                // It is the trouble that is at fault, not the request.
                return Some(Judgement { problems: Vec::new(), ..judgement });
            }
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl Mixpanel {
    /// Judges a request whose entries `check` finds right or wrong: those that are right are taken.
    fn judged(&self, request: &Received, check: impl Fn(Kind, &Value) -> Result<(), check::Fault>) -> Judgement {
        let Some(kind) = Kind::of(&request.path).filter(|_| request.method == "POST") else {
            return refused(error(404, "not found", "Not Found"), "no such path");
        };
        if kind == Kind::Import && token(request).as_deref() != Some(self.project_token) {
            return refused(error(401, "Invalid credentials", "Unauthorized"), "the token is wrong");
        }
        if request.query_value("strict") != Some("1") {
            return refused(taken(kind, 0), "strict: without it a bad entry is dropped in silence");
        }
        if request.body.len() > BODY_BYTES_MAX {
            let text = "request exceeds max limit of 10485760 bytes";
            return refused(error(413, text, "Request Entity Too Large"), text);
        }
        let entries = request.json.as_ref().and_then(Value::as_array);
        let Some(entries) = entries.filter(|entries| (1..=ENTRIES_MAX).contains(&entries.len())) else {
            let text = "the body must be an array of 1 to 2000 entries";
            return refused(error(400, text, "Bad Request"), text);
        };
        let mut judgement = Judgement { answer: taken(kind, 0), events: Vec::new(), problems: Vec::new() };
        let mut failed = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match check(kind, entry) {
                Ok(()) => {
                    // "1: … This does not signify a valid project token."
                    if kind != Kind::Import && entry["$token"] != self.project_token {
                        judgement.problems.push(format!("[{index}].$token: nobody's, and dropped in silence"));
                    }
                    judgement.events.push(entry.clone());
                }
                Err(fault) => {
                    judgement.problems.push(format!("[{index}]: {}", fault.message));
                    failed.push(fault.record(index, entry));
                }
            }
        }
        judgement.answer = match failed.is_empty() {
            true => taken(kind, judgement.events.len()),
            false => partly(failed, judgement.events.len()),
        };
        judgement
    }
}

fn taken(kind: Kind, imported: usize) -> Answer {
    match kind {
        Kind::Import => Answer::json(200, &json!({ "code": 200, "num_records_imported": imported, "status": "OK" })),
        Kind::Users | Kind::Groups => Answer::json(200, &json!({ "code": 200, "status": "OK" })),
    }
}

/// "If some events pass validation and others fail, Mixpanel will ingest the events that pass validation."
fn partly(failed: Vec<Value>, imported: usize) -> Answer {
    let body = json!({
        "code": 400,
        "error": "some data points in the request failed validation",
        "failed_records": failed,
        "num_records_imported": imported,
        "status": "Bad Request",
    });
    Answer::json(400, &body)
}

fn error(code: u16, error: &str, status: &str) -> Answer {
    Answer::json(code, &json!({ "code": code, "error": error, "status": status }))
}

fn refused(answer: Answer, problem: &str) -> Judgement {
    Judgement { answer, events: Vec::new(), problems: vec![problem.to_owned()] }
}

/// "Your token as the basic auth username value with an empty password."
fn token(request: &Received) -> Option<String> {
    request.basic().filter(|(_, password)| password.is_empty()).map(|(user, _)| user)
}
