//! Platforms to deliver to, for tests and for the demo: real HTTP servers on the loopback that answer as the platforms
//! do, errors included, and misbehave when told to. Each platform lies with its plugin, `plugins/<name>/fake/platform.rs`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tidegate_fakes::{Behaviour, Fake, Meta};
//!
//! let meta = Fake::start(Meta::new("a-token")).await?;
//! meta.next([Behaviour::status(500)]);            // the first request fails, the next one does not
//! // … point a destination's base_url at meta.url() and send an event …
//! let requests = meta.wait_for(2).await?;
//! assert_eq!(meta.events()[0]["event_name"], "Purchase");
//! # Ok(()) }
//! ```
//!
//! The platforms here are stricter than the real ones in one way: what a platform takes in silence and then fails to
//! use is written down as a problem (see [`Fake::problems`]), so that a test can ask for none.

mod behaviour;
mod clock;
mod fake;
mod form;
mod platforms;
mod received;
mod server;
mod token;

pub use behaviour::{Answer, Behaviour, Gate, Trouble};
pub use clock::Clock;
pub use fake::{Builder, Fake, StartError};
pub use platforms::ga4::Ga4;
pub use platforms::meta_capi::Meta;
pub use platforms::webhook::{SecretError, WebhookSink};
pub use platforms::{KINDS, Kind, find};
pub use received::{Keep, Received, WaitError};

/// What a platform makes of one request.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub answer: Answer,
    /// The events it took, as they were sent.
    pub events: Vec<serde_json::Value>,
    /// What is wrong with the request, whether the platform says so or not.
    pub problems: Vec<String>,
}

/// What a platform makes of one request when only the count matters.
#[derive(Debug, Clone)]
pub struct Tally {
    pub answer: Answer,
    /// How many events the request holds.
    pub events: u64,
    /// Their ids, as far as they have any.
    pub event_ids: Vec<String>,
}

/// One platform's manners. Everything else (the server, the log, the misbehaviour) is [`Fake`]'s.
pub trait Platform: Send + Sync + 'static {
    /// The platform's name, for people.
    fn name(&self) -> &'static str;

    /// Checks the request as the platform documents it; `now_ms` is Unix time.
    fn judge(&self, request: &Received, now_ms: i64) -> Judgement;

    /// What it makes of a request while it is in trouble, as it documents that. `None` where it knows no such trouble:
    /// then it answers with the status alone, 429, 401 or 503, or takes the request.
    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let _ = (trouble, request, now_ms);
        None
    }

    /// Takes whatever comes, as cheaply as it can: for load tests. Without it, as carefully as ever.
    fn tally(&self, request: &Received) -> Tally {
        let judgement = self.judge(request, request.arrived_ms);
        Tally { answer: judgement.answer, events: judgement.events.len() as u64, event_ids: Vec::new() }
    }
}
