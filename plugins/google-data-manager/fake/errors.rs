//! Errors as the Data Manager API writes them: `google.rpc.Status` with an `ErrorInfo` and, where fields are to blame, a
//! `BadRequest` in its details.

use serde_json::{Value, json};

use crate::Answer;

const REQUEST_ID: &str = "t-aFakeRequestIdForTests";

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// `events[3].event_timestamp`
    pub(super) field: String,
    pub(super) reason: &'static str,
    pub(super) description: String,
}

pub(super) fn violation(field: &str, reason: &'static str, description: impl Into<String>) -> Violation {
    Violation { field: field.to_owned(), reason, description: description.into() }
}

/// An answer that refuses the request because of its fields.
pub(super) fn invalid(violations: &[Violation]) -> Answer {
    let fields: Vec<Value> = violations
        .iter()
        .map(|v| json!({ "field": v.field, "description": v.description, "reason": v.reason }))
        .collect();
    let bad = json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields });
    refused(400, "INVALID_ARGUMENT", "There was a problem with the request.", "INVALID_ARGUMENT", Some(bad))
}

/// An answer that refuses the request, with one more detail.
pub(super) fn refused(code: u16, status: &str, message: &str, reason: &str, more: Option<Value>) -> Answer {
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "datamanager.googleapis.com"
    })];
    details.extend(more);
    details.push(json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": REQUEST_ID }));
    let error = json!({ "code": code, "message": message, "status": status, "details": details });
    Answer::json(code, &json!({ "error": error }))
}
