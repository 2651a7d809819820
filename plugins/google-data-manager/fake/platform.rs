//! Google Data Manager API: `POST /v1/events:ingest`, with Google's token endpoint beside it.
//!
//! One bad event fails the whole request, as "Understand API errors" in developers.google.com/data-manager/api says.
//! Sources: `google/ads/datamanager/v1/*.proto` in googleapis/googleapis. What happens to events afterwards (duplicates,
//! clicks that are not known) Google tells by another method, which is not here.

mod check;
mod errors;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble, token};
use errors::violation;

/// The credentials of `destination.toml`, and any account.
pub(crate) fn platform() -> DataManager {
    DataManager {
        grant: token::Grant {
            client_id: "client-of-the-fake.apps.googleusercontent.com",
            client_secret: "GOCSPX-secret-of-the-fake",
            refresh_token: "1//refresh-token-of-the-fake",
            access_token: "ya29.access-token-of-the-fake",
        },
    }
}

/// A Data Manager API that knows one person's credentials.
#[derive(Debug, Clone)]
pub(crate) struct DataManager {
    grant: token::Grant,
}

impl DataManager {
    /// The refusal of a request before anybody looks at its body.
    fn refusal(&self, request: &Received) -> Option<Answer> {
        if request.path != "/v1/events:ingest" || request.method != "POST" {
            return Some(Answer::text(404, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"));
        }
        let expected = format!("Bearer {}", self.grant.access_token);
        (request.header("authorization") != Some(&expected)).then(unauthenticated)
    }

    fn ingest(&self, request: &Received, now_ms: i64) -> Judgement {
        if let Some(answer) = self.refusal(request) {
            return refused(answer);
        }
        let body = request.json.as_ref().unwrap_or(&Value::Null);
        if let Some((name, at)) = check::unknown(body) {
            let message =
                format!("Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field.");
            return refused(errors::refused(400, "INVALID_ARGUMENT", &message, "INVALID_ARGUMENT", None));
        }
        let checked = check::request(body, now_ms);
        if !checked.violations.is_empty() {
            return refused(errors::invalid(&checked.violations));
        }
        let taken = body["validateOnly"] != true;
        let events = body["events"].as_array().filter(|_| taken).cloned().unwrap_or_default();
        let answer = Answer::json(200, &json!({ "requestId": "126365e1-16d0-4c81-9de9-f362711e250a" }));
        Judgement { answer, events, problems: checked.silent }
    }
}

impl Platform for DataManager {
    fn name(&self) -> &'static str {
        "google-data-manager"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        match request.path.as_str() {
            token::PATH => self.grant.judge(request),
            _ => self.ingest(request, now_ms),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _now_ms: i64) -> Option<Judgement> {
        let quiet = |answer| Judgement { answer, events: Vec::new(), problems: Vec::new() };
        let is_token = request.path == token::PATH;
        Some(match trouble {
            Trouble::CredentialsRefused if is_token => quiet(token::revoked().answer()),
            // Tokens are another host's.
            _ if is_token => self.grant.judge(request),
            Trouble::CredentialsRefused => quiet(unauthenticated()),
            Trouble::Throttled => {
                let wait = json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s" });
                quiet(errors::refused(
                    429,
                    "RESOURCE_EXHAUSTED",
                    "Too many requests.",
                    "RESOURCE_EXHAUSTED",
                    Some(wait),
                ))
            }
            Trouble::Unavailable => quiet(errors::refused(
                503,
                "UNAVAILABLE",
                "The service is currently unavailable.",
                "INTERNAL_ERROR",
                None,
            )),
            Trouble::FirstRefused => quiet(self.refusal(request).unwrap_or_else(|| {
                let what = violation("events[0].ad_identifiers.gclid", "INVALID_FORMAT", "The format is not valid.");
                errors::invalid(&[what])
            })),
        })
    }
}

fn refused(answer: Answer) -> Judgement {
    let problem = format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Judgement { answer, events: Vec::new(), problems: vec![problem] }
}

fn unauthenticated() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                   valid authentication credential.";
    errors::refused(401, "UNAUTHENTICATED", message, "ACCESS_TOKEN_EXPIRED", None)
}
