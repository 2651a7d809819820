//! How a fake misbehaves, and the script that says when. Knows no platform.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::text(status, body.to_string()).header("content-type", "application/json; charset=UTF-8")
    }

    pub fn text(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }
}

/// What to do with a request that has been read in full.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answer as the platform does.
    Normal,
    /// Answer this, whatever was asked. The platform took nothing.
    Answer(Answer),
    /// Be in trouble, as the platform documents it.
    Trouble(Trouble),
    /// Wait, then go on as told.
    Slow(Duration, Box<Behaviour>),
    /// Wait until the test opens the gate, then go on as told.
    Held(Gate, Box<Behaviour>),
    /// Take the events as the platform does, then close without an answer: the sender cannot know.
    LoseAnswer,
    /// Keep the connection open and never say anything.
    NeverAnswer,
    /// Close the connection, politely, without an answer.
    Close,
    /// Tear the connection down with a TCP reset.
    Reset,
    /// Write these bytes in place of an HTTP answer, and close.
    NotHttp(Bytes),
    /// Answer 200 with a body of so many zero bytes.
    HugeBody(u64),
}

/// What every platform has a way of its own to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too many requests.
    Throttled,
    /// The credentials are not taken, or not any more.
    CredentialsRefused,
    /// The platform itself fails.
    Unavailable,
    /// The first event of the request is refused; the others are taken, where the platform takes a part of a request.
    FirstRefused,
}

impl Trouble {
    /// How a platform says it that has no way of its own.
    pub(crate) fn answer(self) -> Option<Answer> {
        match self {
            Trouble::Throttled => Some(Answer::text(429, "slow down").header("retry-after", "1")),
            Trouble::CredentialsRefused => Some(Answer::text(401, "unauthorized")),
            Trouble::Unavailable => Some(Answer::text(503, "down for maintenance")),
            Trouble::FirstRefused => None,
        }
    }
}

impl Behaviour {
    /// An answer with this status and a short text, as a proxy in front of the platform gives.
    pub fn status(status: u16) -> Behaviour {
        Behaviour::Answer(Answer::text(status, format!("fake status {status}")))
    }

    pub fn json(status: u16, body: &Value) -> Behaviour {
        Behaviour::Answer(Answer::json(status, body))
    }

    /// 429 with this `Retry-After`: seconds (`"2"`), an HTTP date, or nonsense.
    pub fn too_many_requests(retry_after: impl Into<String>) -> Behaviour {
        Behaviour::Answer(Answer::text(429, "slow down").header("retry-after", retry_after))
    }

    /// 503 with this `Retry-After`.
    pub fn unavailable(retry_after: impl Into<String>) -> Behaviour {
        Behaviour::Answer(Answer::text(503, "down for maintenance").header("retry-after", retry_after))
    }

    /// A 200 that promises JSON and is not.
    pub fn garbage() -> Behaviour {
        let body = Bytes::from_static(b"<html>\xff\xfe{\"events_received\":");
        Behaviour::Answer(Answer::text(200, body).header("content-type", "application/json"))
    }

    /// Bytes that are no HTTP answer.
    pub fn not_http() -> Behaviour {
        Behaviour::NotHttp(Bytes::from_static(b"\x16\x03\x01\x02\x00 SSH-2.0-nonsense\r\n\r\n"))
    }

    pub fn redirect(location: impl Into<String>) -> Behaviour {
        Behaviour::Answer(Answer::empty(302).header("location", location))
    }

    /// Normal, after a delay.
    pub fn slow(delay: Duration) -> Behaviour {
        Behaviour::Slow(delay, Box::new(Behaviour::Normal))
    }

    /// Normal, once the gate is open.
    pub fn held(gate: &Gate) -> Behaviour {
        Behaviour::Held(gate.clone(), Box::new(Behaviour::Normal))
    }

    /// What is left once all waiting is over.
    pub(crate) fn last(&self) -> &Behaviour {
        match self {
            Behaviour::Slow(_, then) | Behaviour::Held(_, then) => then.last(),
            other => other,
        }
    }

    /// Waits as told.
    pub(crate) async fn wait(&self) {
        let mut at = self;
        loop {
            match at {
                Behaviour::Slow(delay, then) => {
                    tokio::time::sleep(*delay).await;
                    at = then;
                }
                Behaviour::Held(gate, then) => {
                    gate.opened().await;
                    at = then;
                }
                _ => return,
            }
        }
    }
}

/// Holds answers back until the test opens it; once open it stays open.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<Passage>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Shut,
    Open,
}

impl Gate {
    /// A shut gate.
    pub fn shut() -> Gate {
        Gate(watch::Sender::new(Passage::Shut))
    }

    pub fn open(&self) {
        self.0.send_replace(Passage::Open);
    }

    async fn opened(&self) {
        // The sender lives in `self`, so waiting can only end because the gate is open.
        let _ = self.0.subscribe().wait_for(|passage| *passage == Passage::Open).await;
    }
}

/// The behaviours still to come.
#[derive(Debug)]
pub(crate) struct Script {
    next: VecDeque<Behaviour>,
    otherwise: Behaviour,
}

impl Script {
    pub(crate) fn normal() -> Script {
        Script { next: VecDeque::new(), otherwise: Behaviour::Normal }
    }

    pub(crate) fn push(&mut self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.next.extend(behaviours);
    }

    pub(crate) fn always(&mut self, behaviour: Behaviour) {
        self.next.clear();
        self.otherwise = behaviour;
    }

    pub(crate) fn take(&mut self) -> Behaviour {
        self.next.pop_front().unwrap_or_else(|| self.otherwise.clone())
    }
}
