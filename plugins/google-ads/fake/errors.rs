//! Errors as Google Ads writes them: `google.rpc.Status` with a `GoogleAdsFailure` in its details.

use serde_json::{Value, json};

use crate::Answer;

const FAILURE: &str = "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure";
const REQUEST_ID: &str = "aFakeRequestIdForTests";

/// What is wrong with an entry, or with all of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) family: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) fn fault(family: &'static str, code: &'static str, message: impl Into<String>) -> Fault {
    Fault { family, code, message: message.into() }
}

impl Fault {
    /// As one of `GoogleAdsFailure.errors`, of the entry at this index.
    pub(super) fn json(&self, list: &str, index: Option<usize>) -> Value {
        let mut error = json!({ "errorCode": { self.family: self.code }, "message": self.message });
        if let Some(index) = index {
            error["location"] = json!({ "fieldPathElements": [{ "fieldName": list, "index": index }] });
        }
        error
    }

    /// As the answer to the whole request.
    pub(super) fn answer(&self, code: u16, status: &str) -> Answer {
        whole(code, status, &self.message, &[self.json("", None)])
    }
}

/// An answer that refuses a whole request.
pub(super) fn whole(code: u16, status: &str, message: &str, errors: &[Value]) -> Answer {
    let mut error = json!({ "code": code, "message": message, "status": status });
    if !errors.is_empty() {
        error["details"] = details(errors);
    }
    Answer::json(code, &json!({ "error": error }))
}

/// The `partialFailureError` of an answer that takes the other entries.
pub(super) fn partial(errors: &[Value]) -> Value {
    let first = errors.first().and_then(|error| error["message"].as_str()).unwrap_or_default();
    let message = match errors {
        [_] => first.to_owned(),
        _ => format!("Multiple errors in ‘details’. First error: {first}"),
    };
    json!({ "code": 3, "message": message, "details": details(errors) })
}

fn details(errors: &[Value]) -> Value {
    json!([{ "@type": FAILURE, "errors": errors, "requestId": REQUEST_ID }])
}
