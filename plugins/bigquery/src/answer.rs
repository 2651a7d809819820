//! What BigQuery's answers mean. The reason in the body decides: 403 may be a rate limit or a missing permission.
//!
//! Sources: "Error messages" (the reasons and what to do) and "Troubleshoot streaming inserts" on
//! cloud.google.com/bigquery/docs, and the response of "Method: tabledata.insertAll".

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify};

/// A body of BigQuery's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    insert_errors: Vec<RowErrors<'a>>,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

/// What is wrong with one row.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RowErrors<'a> {
    index: usize,
    #[serde(borrow)]
    errors: Vec<Reason<'a>>,
}

/// What is wrong with the whole request.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Error<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    errors: Vec<Reason<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    location: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// What a reason asks for.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// A fault of BigQuery's, or too many requests a second.
    Transient,
    /// A quota that comes back with time.
    Quota,
    /// The service account, the project or the table: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// A row, or the request, is bad.
    Row,
}

const KIND: &str = "bigquery#tableDataInsertAllResponse";
const ACCOUNT: &str = "the service account is refused: give it `roles/bigquery.dataEditor` on the dataset, and the \
                       project an enabled BigQuery API and billing";
const TABLE: &str = "there is no such table: correct `project`, `dataset` and `table`, or create it from `schema.json`";

/// How long to wait for a quota, where BigQuery does not say.
const QUOTA_MS: u64 = 60_000;
const REASON_CHARS: usize = 300;

fn class(reason: &str) -> Class {
    match reason {
        "backendError"
        | "internalError"
        | "jobBackendError"
        | "jobInternalError"
        | "jobRateLimitExceeded"
        | "rateLimitExceeded"
        | "tableUnavailable"
        | "timeout"
        | "userRateLimitExceeded" => Class::Transient,
        // The row was not tried, because another one of the request is bad.
        "stopped" => Class::Transient,
        "blocked" | "dailyLimitExceeded" | "quotaExceeded" => Class::Quota,
        "accessDenied"
        | "accessNotConfigured"
        | "authError"
        | "billingNotEnabled"
        | "forbidden"
        | "insufficientPermissions"
        | "invalidUser"
        | "required" => Class::Operator(ACCOUNT),
        "notFound" => Class::Operator(TABLE),
        _ => Class::Row,
    }
}

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_success = (200..300).contains(&response.status);
    match answer {
        Answer { error: Some(error), .. } => by_error(&error, response, count, ctx),
        Answer { insert_errors, .. } if is_success && !insert_errors.is_empty() => by_row(&insert_errors, count),
        Answer { kind: Some(kind), .. } if is_success && *kind == *KIND => Verdict::Delivered,
        // A page of a proxy's is no success, and a row that comes twice is dropped by its `insertId`.
        _ if is_success => Verdict::Retry(None),
        _ if response.status == 404 => operator(TABLE, &classify::reason(response)),
        _ => classify::by_status(response, count, ctx),
    }
}

fn by_error(error: &Error<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    let reason = error.errors.first().and_then(|first| first.reason.as_deref());
    let after_ms = classify::retry_after_ms(response, ctx.now_ms);
    match reason.map(class) {
        Some(Class::Transient) => Verdict::Retry(after_ms),
        Some(Class::Quota) => Verdict::Retry(after_ms.or(Some(QUOTA_MS))),
        Some(Class::Operator(hint)) => operator(hint, &told(error)),
        None if response.status == 404 => operator(TABLE, &told(error)),
        // Newer errors have no list: their status tells an account that is refused from a request that is bad.
        None | Some(Class::Row) => match classify::by_status(response, count, ctx) {
            Verdict::Credentials(_) => operator(ACCOUNT, &told(error)),
            Verdict::Reject(_) => Verdict::Reject(told(error)),
            other => other,
        },
    }
}

/// Rows that are not listed were inserted, because the request says `skipInvalidRows`.
fn by_row(listed: &[RowErrors<'_>], count: u32) -> Verdict {
    let mut outcomes = vec![Outcome::Delivered; count as usize];
    for row in listed {
        if let Some(outcome) = outcomes.get_mut(row.index) {
            *outcome = of_row(&row.errors);
        }
    }
    match outcomes.as_slice() {
        [Outcome::Retry(after_ms)] => Verdict::Retry(*after_ms),
        [Outcome::Reject(reason)] => Verdict::Reject(reason.clone()),
        _ => Verdict::Each(outcomes),
    }
}

fn of_row(errors: &[Reason<'_>]) -> Outcome {
    let bad = errors.iter().find(|one| one.reason.as_deref().is_none_or(|reason| class(reason) == Class::Row));
    match (bad, errors.first()) {
        (Some(one), _) => Outcome::Reject(one.text()),
        (None, Some(_)) => Outcome::Retry(None),
        (None, None) => Outcome::Reject("BigQuery refused the row, and does not say why".to_owned()),
    }
}

impl Reason<'_> {
    /// `BigQuery: invalid: no such field: shoe_size. (at shoe_size)`.
    fn text(&self) -> String {
        let mut text = String::from("BigQuery");
        for part in [&self.reason, &self.message].into_iter().flatten() {
            text.push_str(": ");
            text.push_str(&classify::excerpt(part.as_bytes()));
        }
        if let Some(location) = self.location.as_deref().filter(|location| !location.is_empty()) {
            text.push_str(" (at ");
            text.push_str(&classify::excerpt(location.as_bytes()));
            text.push(')');
        }
        text.chars().take(REASON_CHARS).collect()
    }
}

fn told(error: &Error<'_>) -> String {
    match error.errors.first() {
        Some(first) => first.text(),
        None => Reason { message: error.message.clone(), ..Reason::default() }.text(),
    }
}

fn operator(hint: &str, told: &str) -> Verdict {
    Verdict::Credentials([hint, " (", told, ")"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_refused_for_its_own_faults_only() {
        let of = |text: &'static str| of_row(&serde_json::from_str::<Vec<Reason<'_>>>(text).unwrap());
        assert_eq!(of(r#"[{"reason":"backendError"},{"reason":"timeout"}]"#), Outcome::Retry(None));
        assert_eq!(of(r#"[{"reason":"stopped"}]"#), Outcome::Retry(None));
        let refused = Outcome::Reject("BigQuery: invalid".to_owned());
        assert_eq!(of(r#"[{"reason":"timeout"},{"reason":"invalid"}]"#), refused);
        assert!(matches!(of("[]"), Outcome::Reject(_)));
    }

    #[test]
    fn an_index_beyond_the_request_blames_nobody() {
        let listed = [RowErrors { index: 7, errors: Vec::new() }];
        assert_eq!(by_row(&listed, 2), Verdict::Each(vec![Outcome::Delivered; 2]));
    }
}
