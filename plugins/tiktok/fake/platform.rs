//! TikTok's Events API: `POST /open_api/{version}/event/track/`, with the token in the header `Access-Token`.
//!
//! Everything is answered with 200; the code in the body says what it is. Sources: "Events API 2.0, Payload" and
//! "Appendix, Return codes" on business-api.tiktok.com; the wording of a refusal is as reported in
//! github.com/stape-io/tiktok-tag, issue 10. One bad event refuses all of a request.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

/// Any pixel, and the access token of `destination.toml`.
pub(crate) fn platform() -> TikTok {
    TikTok { access_token: "token-of-the-fake" }
}

/// A TikTok that knows one access token.
#[derive(Debug, Clone)]
pub(crate) struct TikTok {
    access_token: &'static str,
}

const REQUEST_ID: &str = "202611201430000A0B0C0D0E0F0102030405";

impl Platform for TikTok {
    fn name(&self) -> &'static str {
        "tiktok"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if let Some((status, code, message)) = self.refusal(request) {
            return refused(status, code, &message);
        }
        let body = request.json.as_ref().unwrap_or(&Value::Null);
        match check::request(body, now_ms) {
            Err(fault) => refused(200, 40_002, &fault),
            Ok(problems) => {
                let events = body["data"].as_array().cloned().unwrap_or_default();
                Judgement { answer: answer(200, 0, "OK"), events, problems }
            }
        }
    }

    fn trouble(&self, trouble: Trouble, _request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => answer(200, 40_100, "Too many requests. Please retry later."),
            Trouble::CredentialsRefused => answer(200, 40_105, "Access token is incorrect or has been revoked."),
            Trouble::Unavailable => answer(200, 50_000, "System error."),
            Trouble::FirstRefused => answer(200, 40_002, "Invalid value for event_id: not a valid string."),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl TikTok {
    /// What is wrong with the request before its body is looked at: status, code and message.
    fn refusal(&self, request: &Received) -> Option<(u16, i64, String)> {
        if !is_track(&request.path) {
            return Some((404, 40_000, format!("Path {} does not exist.", request.path)));
        }
        if request.method != "POST" {
            return Some((200, 40_000, format!("Method {} is not allowed.", request.method)));
        }
        match request.header("access-token") {
            None => Some((200, 40_104, "Access token is empty.".to_owned())),
            Some(token) if token != self.access_token => {
                Some((200, 40_105, "Access token is incorrect or has been revoked.".to_owned()))
            }
            Some(_) if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) => {
                Some((200, 40_002, "Content-Type must be application/json.".to_owned()))
            }
            Some(_) => None,
        }
    }
}

fn refused(status: u16, code: i64, message: &str) -> Judgement {
    let problems = vec![format!("{code}: {message}")];
    Judgement { answer: answer(status, code, message), events: Vec::new(), problems }
}

fn answer(status: u16, code: i64, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "message": message, "request_id": REQUEST_ID, "data": {} }))
}

/// `/open_api/v1.3/event/track/`.
fn is_track(path: &str) -> bool {
    let version = path.strip_prefix("/open_api/v").and_then(|rest| rest.strip_suffix("/event/track/"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    version
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
