//! X's Conversion API: `POST /{version}/measurement/conversions/{pixel}`, signed by OAuth 1.0a.
//!
//! Sources: "Web conversions" (its reference, and the errors under "Troubleshooting"), "Error codes and responses" and
//! "Rate limiting" of docs.x.com/x-ads-api. Messages of 401, 429 and 503 are from memory.

mod check;
mod oauth;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Fault;
use oauth::Credentials;

/// Any pixel, and the four secrets of `destination.toml`.
pub(crate) fn platform() -> X {
    X {
        credentials: Credentials {
            consumer_key: "consumer-of-the-fake",
            consumer_secret: "consumer secret & more",
            token: "815-token-of-the-fake",
            token_secret: "token secret",
        },
    }
}

/// An X that knows one user of one app.
#[derive(Debug, Clone)]
pub(crate) struct X {
    credentials: Credentials,
}

impl Platform for X {
    fn name(&self) -> &'static str {
        "x"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let Some(pixel) = pixel_of(&request.path) else {
            return refuse(404, &[Fault::of("ROUTE_NOT_FOUND", "The requested resource could not be found", "")]);
        };
        if request.method != "POST" {
            return refuse(405, &[Fault::of("METHOD_NOT_ALLOWED", "The HTTP method is not allowed", "")]);
        }
        if let Err(why) = self.credentials.check(request, now_ms) {
            let problems = vec![format!("the signature: {why}")];
            return Judgement { problems, ..unauthorized() };
        }
        let conversions = match check::request(request.json.as_ref(), pixel, now_ms) {
            Ok(conversions) => conversions,
            Err(faults) => {
                let status = if faults.iter().any(|fault| fault.code == "NOT_FOUND") { 404 } else { 400 };
                return refuse(status, &faults);
            }
        };
        let problems = conversions.iter().enumerate().flat_map(|(index, one)| check::silent(index, one)).collect();
        let answer = json!({
            "request": { "params": { "account_id": "18ce552mlaq" } },
            "data": {
                "conversions_processed": conversions.len(),
                "debug_id": "ff02e052-36e4-47d6-bdf0-6d8986446562",
            },
        });
        Judgement { answer: Answer::json(200, &answer), events: conversions.to_vec(), problems }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let quiet = |judgement: Judgement| Judgement { problems: Vec::new(), ..judgement };
        Some(match trouble {
            Trouble::Throttled => {
                let mut refused = refuse(429, &[Fault::of("TOO_MANY_REQUESTS", "Rate limit exceeded", "")]);
                let reset_s = now_ms.div_euclid(1000) + 1;
                refused.answer = refused.answer.header("x-rate-limit-reset", reset_s.to_string());
                quiet(refused)
            }
            Trouble::CredentialsRefused => quiet(unauthorized()),
            Trouble::Unavailable => {
                quiet(refuse(503, &[Fault::of("OVER_CAPACITY", "The service is temporarily over capacity", "")]))
            }
            // All or nothing: "A single request will only be successful when there are zero errors".
            Trouble::FirstRefused => {
                let judged = self.judge(request, now_ms);
                if judged.answer.status != 200 {
                    return Some(judged);
                }
                let fault =
                    Fault::of("INVALID_PARAMETER", "hashed_email (abc) is not a valid SHA-256 hash", "hashed_email");
                quiet(refuse(400, &[fault]))
            }
        })
    }
}

fn unauthorized() -> Judgement {
    refuse(401, &[Fault::of("UNAUTHORIZED_ACCESS", "This request is not properly authenticated", "")])
}

fn refuse(status: u16, faults: &[Fault]) -> Judgement {
    let errors: Vec<Value> = faults.iter().map(Fault::json).collect();
    let body = json!({ "errors": errors, "request": { "params": { "account_id": "18ce552mlaq" } } });
    let problems = faults.iter().map(|fault| format!("{}: {}", fault.code, fault.message)).collect();
    Judgement { answer: Answer::json(status, &body), events: Vec::new(), problems }
}

/// The pixel of `/12/measurement/conversions/{pixel}`.
fn pixel_of(path: &str) -> Option<&str> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["", "12", "measurement", "conversions", pixel] if check::is_base36(pixel) => Some(pixel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Received {
        Received {
            order: 0,
            arrived_ms: 0,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            json: None,
            status: None,
            events: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn code(judgement: &Judgement) -> Value {
        let body: Value = serde_json::from_slice(&judgement.answer.body).unwrap();
        body["errors"][0]["code"].clone()
    }

    #[test]
    fn another_version_has_no_route_and_a_request_without_a_signature_no_access() {
        let gone = platform().judge(&request("/9/measurement/conversions/o8z6j"), 0);
        assert_eq!((gone.answer.status, code(&gone)), (404, json!("ROUTE_NOT_FOUND")));
        let unsigned = platform().judge(&request("/12/measurement/conversions/o8z6j"), 0);
        assert_eq!((unsigned.answer.status, code(&unsigned)), (401, json!("UNAUTHORIZED_ACCESS")));
        assert_eq!(unsigned.problems, ["the signature: the header authorization is missing"]);
    }

    #[test]
    fn a_limit_says_when_it_is_reset() {
        let request = request("/12/measurement/conversions/o8z6j");
        let judged = platform().trouble(Trouble::Throttled, &request, 1_790_000_000_999).unwrap();
        assert_eq!((judged.answer.status, code(&judged)), (429, json!("TOO_MANY_REQUESTS")));
        assert!(judged.answer.headers.contains(&("x-rate-limit-reset", "1790000001".to_owned())));
    }
}
