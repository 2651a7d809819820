//! Microsoft's Conversions API: `POST /{version}/{tag}/events` with a bearer token.
//!
//! Source: "UET Conversion API Integration (CAPI) Guide", learn.microsoft.com/advertising/guides/uet-conversion-api-integration,
//! sections "API Endpoint", "Data Schema" and "Errors". The bodies of 404, 429 and 503 are in no document: they follow the
//! documented form, and their codes are from memory.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Detail;

/// Any tag, and the token of `destination.toml`.
pub(crate) fn platform() -> Microsoft {
    Microsoft { token: "uet-token-of-the-fake" }
}

/// A Microsoft that knows one token.
#[derive(Debug, Clone)]
pub(crate) struct Microsoft {
    token: &'static str,
}

const EVENTS_MAX: usize = 1000;

impl Platform for Microsoft {
    fn name(&self) -> &'static str {
        "microsoft"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if !is_events_of_a_tag(&request.path) {
            return refuse(404, "NotFound", "The resource is not found.");
        }
        if request.method != "POST" {
            return refuse(405, "MethodNotAllowed", "Only POST is supported.");
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if token != Some(self.token) {
            return unauthorized();
        }
        let Some(events) = request.json.as_ref().and_then(|body| body["data"].as_array()) else {
            return refuse(400, "BadRequest", "The request has no JSON body with a list `data`.");
        };
        if events.is_empty() || events.len() > EVENTS_MAX {
            return refuse(400, "BadRequest", "'data' must hold 1 to 1000 events.");
        }
        let details: Vec<Detail> =
            events.iter().enumerate().flat_map(|(index, event)| check::event(index, event, now_ms)).collect();
        let mut problems: Vec<String> =
            events.iter().enumerate().flat_map(|(index, event)| check::silent(index, event)).collect();
        problems.extend(details.iter().map(ToString::to_string));
        Judgement { problems, ..answer(events, &details, continues(request)) }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        Some(match trouble {
            Trouble::Throttled => {
                let mut refused = refuse(429, "TooManyRequests", "Too many requests, try again later.");
                refused.answer = refused.answer.header("retry-after", "1");
                Judgement { problems: Vec::new(), ..refused }
            }
            Trouble::CredentialsRefused => Judgement { problems: Vec::new(), ..unauthorized() },
            Trouble::Unavailable => Judgement {
                problems: Vec::new(),
                ..refuse(503, "ServiceUnavailable", "The service is temporarily unavailable.")
            },
            Trouble::FirstRefused => {
                let judged = self.judge(request, now_ms);
                if judged.answer.status != 200 {
                    return Some(judged);
                }
                let first = Detail::new(0, "eventTime", "'eventTime' must be within the last 7 days.");
                Judgement { problems: judged.problems, ..answer(&judged.events, &[first], continues(request)) }
            }
        })
    }
}

/// What is answered to these events where these details are wrong: an event with one is not taken, and without
/// `continueOnValidationError` no other is either.
fn answer(events: &[Value], details: &[Detail], continues: bool) -> Judgement {
    let is_bad = |index: usize| details.iter().any(|detail| detail.index == index);
    let mut taken: Vec<Value> =
        events.iter().enumerate().filter(|(index, _)| !is_bad(*index)).map(|(_, event)| event.clone()).collect();
    if !continues && taken.len() < events.len() {
        taken.clear();
    }
    let answer = match (taken.len(), details) {
        (received, []) => Answer::json(200, &json!({ "eventsReceived": received })),
        (0, details) => Answer::json(400, &json!({ "error": validation_error(details) })),
        (received, details) => {
            Answer::json(200, &json!({ "eventsReceived": received, "error": validation_error(details) }))
        }
    };
    Judgement { answer, events: taken, problems: Vec::new() }
}

fn validation_error(details: &[Detail]) -> Value {
    json!({
        "code": "ValidationError",
        "message": "One or multiple parameters did not pass validation checks, see details.",
        "details": details.iter().map(Detail::json).collect::<Vec<_>>(),
    })
}

fn continues(request: &Received) -> bool {
    request.json.as_ref().is_some_and(|body| body["continueOnValidationError"] == true)
}

fn unauthorized() -> Judgement {
    refuse(401, "Unauthorized", "You are not authorized to access this resource.")
}

fn refuse(status: u16, code: &str, message: &str) -> Judgement {
    let answer = Answer::json(status, &json!({ "error": { "code": code, "message": message } }));
    Judgement { answer, events: Vec::new(), problems: vec![format!("{code}: {message}")] }
}

/// `/v1/{tag}/events`.
fn is_events_of_a_tag(path: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(path.split('/').collect::<Vec<_>>()[..], ["", "v1", tag, "events"] if is_number(tag))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn event(id: &str, at_s: i64) -> Value {
        json!({
            "eventType": "custom", "eventId": id, "eventName": "purchase", "eventTime": at_s,
            "userData": { "msclkid": "dd4afcccb1c9a4cad9544dd7e5006" },
        })
    }

    fn request(token: &str, body: Value) -> Received {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        Received {
            order: 0,
            arrived_ms: NOW_MS,
            method: "POST".to_owned(),
            path: "/v1/187012345/events".to_owned(),
            query: Vec::new(),
            headers,
            body: bytes::Bytes::new(),
            json: Some(body),
            status: None,
            events: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn told(judgement: &Judgement) -> Value {
        serde_json::from_slice(&judgement.answer.body).unwrap()
    }

    #[test]
    fn a_bad_event_is_named_by_its_index_and_keeps_the_others_back_unless_they_may_go_on() {
        let (good, bad) = (event("a", NOW_MS / 1000), event("b", NOW_MS / 1000 - 8 * 86_400));
        for (continues, status, taken) in [(true, 200, 1), (false, 400, 0)] {
            let body = json!({ "data": [good, bad], "continueOnValidationError": continues });
            let judged = platform().judge(&request("uet-token-of-the-fake", body), NOW_MS);
            let answer = told(&judged);
            assert_eq!((judged.answer.status, judged.events.len()), (status, taken), "{answer}");
            assert_eq!(answer["error"]["code"], "ValidationError");
            assert_eq!(answer["error"]["details"][0]["index"], 1);
            assert_eq!(answer["error"]["details"][0]["propertyName"], "data[1].eventTime");
            assert_eq!(answer["eventsReceived"], if continues { json!(1) } else { Value::Null });
        }
    }

    #[test]
    fn in_trouble_it_takes_nothing_or_all_but_the_first() {
        let body = json!({
            "data": [event("a", NOW_MS / 1000), event("b", NOW_MS / 1000)], "continueOnValidationError": true,
        });
        let request = request("uet-token-of-the-fake", body);
        let trouble = |trouble| platform().trouble(trouble, &request, NOW_MS).unwrap();
        for (kind, status) in
            [(Trouble::Throttled, 429), (Trouble::CredentialsRefused, 401), (Trouble::Unavailable, 503)]
        {
            let judged = trouble(kind);
            assert_eq!((judged.answer.status, judged.events.len(), judged.problems.len()), (status, 0, 0), "{kind:?}");
        }
        let judged = trouble(Trouble::FirstRefused);
        assert_eq!(judged.events, [event("b", NOW_MS / 1000)]);
        assert_eq!(told(&judged)["eventsReceived"], 1);
        assert_eq!(told(&judged)["error"]["details"][0]["index"], 0);
    }

    #[test]
    fn another_token_is_not_authorized() {
        let judged = platform().judge(&request("other", json!({ "data": [] })), NOW_MS);
        assert_eq!((judged.answer.status, &told(&judged)["error"]["code"]), (401, &json!("Unauthorized")));
    }
}
