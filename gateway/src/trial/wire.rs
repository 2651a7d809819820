//! The wire of a trial: a sender that remembers what passes, and how that is shown without the secrets.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::delivery::auth::Redactor;
use crate::delivery::{Answer, Outgoing, SendError, Sender};
use crate::destination::Destination;

/// One request that left, and what came back. Holds no secret.
#[derive(Debug, Serialize)]
pub struct Wire {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub answer: Reply,
}

/// What came back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Answered {
        status: u16,
        body: String,
    },
    /// Why nothing came.
    Failed(String),
}

/// A sender that remembers.
pub(super) struct Watched {
    sender: Arc<dyn Sender>,
    passed: Mutex<Vec<Passed>>,
}

/// What passed, secrets and all.
pub(super) struct Passed {
    outgoing: Outgoing,
    result: Result<Answer, SendError>,
}

/// What is shown of a body that gives or gets access tokens.
const REDACTED: &str = "<redacted>";
/// What is shown of a body.
const BODY_CHARS: usize = 20_000;

impl Watched {
    pub(super) fn new(sender: Arc<dyn Sender>) -> Watched {
        Watched { sender, passed: Mutex::default() }
    }

    /// What has passed since this was last asked.
    pub(super) fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut *self.locked())
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Passed>> {
        // Nothing panics while it holds the lock, and a list is whole after any of its methods.
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender for Watched {
    fn send(&self, outgoing: Outgoing) -> Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + '_>> {
        Box::pin(async move {
            let result = self.sender.send(outgoing.clone()).await;
            self.locked().push(Passed { outgoing, result: result.clone() });
            result
        })
    }
}

impl Passed {
    /// Tells what its headers carry that is not to be shown: an access token, say.
    pub(super) fn teach(&self, redactor: &mut Redactor) {
        self.outgoing.headers.values().for_each(|value| redactor.learn(value));
    }

    /// It, without the secrets.
    pub(super) fn show(&self, destination: &Destination, redactor: &Redactor) -> Wire {
        let Outgoing { method, url, headers, body, .. } = &self.outgoing;
        let for_token = destination.token_url.as_ref() == Some(url);
        let answer = match &self.result {
            Err(error) => Reply::Failed(redactor.clean(&error.to_string())),
            Ok(Answer { status, .. }) if for_token && (200..300).contains(status) => {
                Reply::Answered { status: *status, body: REDACTED.to_owned() }
            }
            Ok(Answer { status, body, .. }) => Reply::Answered { status: *status, body: shown(body, redactor) },
        };
        Wire {
            method: method.to_string(),
            url: redactor.clean(url.as_str()),
            headers: headers.iter().map(|(name, value)| (name.to_string(), redactor.header(value))).collect(),
            body: if for_token { REDACTED.to_owned() } else { shown(body, redactor) },
            answer,
        }
    }
}

/// A body without secrets, and not at any length. It is cut last: a part of a secret would not be known as one.
fn shown(body: &[u8], redactor: &Redactor) -> String {
    let text = redactor.clean(&String::from_utf8_lossy(body));
    if text.chars().count() <= BODY_CHARS { text } else { text.chars().take(BODY_CHARS).chain(['…']).collect() }
}
