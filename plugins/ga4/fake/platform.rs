//! Google Analytics 4's Measurement Protocol: `POST /mp/collect` and its validation server, `POST /debug/mp/collect`.
//!
//! The collecting endpoint answers 204 whatever it gets, so what is wrong with a request only shows in the fake's
//! problems. Sources: "Send Measurement Protocol events", "Validate events" and the protocol reference in
//! developers.google.com/analytics/devguides/collection/protocol/ga4; "Event collection limits" in support.google.com.
//! They know no trouble of their own: what stands in front of Google answers it with a status alone, and an event that is
//! refused is taken without a word.

mod check;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Tally};
use check::Message;

const BODY_BYTES_MAX: usize = 130_000;

/// Any stream, and the secret of `destination.toml`.
pub(crate) fn platform() -> Ga4 {
    Ga4::new().api_secret("secret-of-the-fake")
}

/// A GA4 property; by default it knows any stream and any secret that is not empty.
#[derive(Debug, Clone, Default)]
pub struct Ga4 {
    measurement_id: Option<String>,
    api_secret: Option<String>,
}

impl Ga4 {
    pub fn new() -> Ga4 {
        Ga4::default()
    }

    /// Only this web stream exists; another one is a problem.
    #[must_use]
    pub fn measurement_id(mut self, measurement_id: impl Into<String>) -> Ga4 {
        self.measurement_id = Some(measurement_id.into());
        self
    }

    /// Only this secret is right; another one is a problem, though never an error.
    #[must_use]
    pub fn api_secret(mut self, api_secret: impl Into<String>) -> Ga4 {
        self.api_secret = Some(api_secret.into());
        self
    }

    /// What is wrong with the query. The validation server does not look at it.
    fn query_problems(&self, request: &Received) -> Vec<String> {
        let mut problems = Vec::new();
        let stream = (request.query_value("measurement_id"), request.query_value("firebase_app_id"));
        match stream {
            (Some(id), None) if self.measurement_id.as_deref().is_some_and(|known| known != id) => {
                problems.push(format!("measurement_id: `{id}` is not this property's"));
            }
            (Some(""), None) | (None, Some("")) | (None, None) => {
                problems.push("measurement_id: one of measurement_id and firebase_app_id is required".to_owned());
            }
            (Some(_), Some(_)) => {
                problems.push("measurement_id: measurement_id and firebase_app_id exclude each other".to_owned());
            }
            _ => {}
        }
        match (request.query_value("api_secret"), &self.api_secret) {
            (None | Some(""), _) => problems.push("api_secret: required".to_owned()),
            (Some(secret), Some(known)) if secret != known => problems.push("api_secret: wrong".to_owned()),
            _ => {}
        }
        problems
    }
}

impl Platform for Ga4 {
    fn name(&self) -> &'static str {
        "ga4"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let refuse = |status: u16, problem: &str| Judgement {
            answer: Answer::empty(status),
            events: Vec::new(),
            problems: vec![problem.to_owned()],
        };
        if !matches!(request.path.as_str(), "/mp/collect" | "/debug/mp/collect") {
            return refuse(404, "no such path");
        }
        if request.method != "POST" {
            return refuse(405, "only POST is supported");
        }
        if request.body.len() > BODY_BYTES_MAX {
            return refuse(413, "the body is larger than 130 kB");
        }
        let messages = check::request(request.json.as_ref(), request.query_value("firebase_app_id").is_some(), now_ms);
        if request.path == "/debug/mp/collect" {
            let messages: Vec<Value> = messages.iter().map(Message::json).collect();
            let answer = Answer::json(200, &json!({ "validationMessages": messages }));
            return Judgement { answer, events: Vec::new(), problems: Vec::new() };
        }
        let mut problems = self.query_problems(request);
        problems.extend(messages.iter().map(Message::to_string));
        let events = request.json.as_ref().and_then(|body| body["events"].as_array()).cloned().unwrap_or_default();
        Judgement { answer: Answer::empty(204), events, problems }
    }

    fn tally(&self, request: &Received) -> Tally {
        #[derive(Deserialize)]
        struct Events {
            events: Vec<Event>,
        }
        #[derive(Deserialize)]
        struct Event {
            #[serde(default)]
            params: Params,
        }
        #[derive(Deserialize, Default)]
        struct Params {
            event_id: Option<String>,
            transaction_id: Option<String>,
        }
        let events = serde_json::from_slice::<Events>(&request.body).map(|body| body.events).unwrap_or_default();
        Tally {
            answer: Answer::empty(204),
            events: events.len() as u64,
            event_ids: events
                .into_iter()
                .filter_map(|event| event.params.event_id.or(event.params.transaction_id))
                .collect(),
        }
    }
}
