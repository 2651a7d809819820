//! Runs a recorded transform again: what the plugin saw, through the component that ran, and compares byte by byte.
//!
//! Owns the comparison. Finds no component, opens no store, and sends nothing.

use serde::Serialize;
use serde_json::Value;
use tidegate_queue::{DeliveryJournal, State};
use tidegate_sandbox::{CallError, Plugin, Transformed, Usage, contract};

use crate::delivery::request;
use crate::journey::transform::printable;
use crate::record::{self, DeliveryRecord, RequestRecord};

/// A recorded delivery, as far as it can be run again.
#[derive(Debug)]
pub struct Recorded {
    /// The delivery's id.
    pub id: String,
    pub destination: String,
    /// The plugin's name and version.
    pub plugin: String,
    /// SHA-256 of the component that ran.
    pub digest: String,
    saw: contract::Event,
    context: contract::Context,
    made: Made,
}

/// What the transform made.
#[derive(Debug)]
enum Made {
    /// This request, at this place among the event's.
    Request(usize, RequestRecord),
    /// Nothing, for this reason.
    Failure(String),
}

/// Why a delivery cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the stored delivery cannot be read")]
    Record(#[source] record::Error),
    #[error("what the plugin saw cannot be read")]
    Saw(#[source] serde_json::Error),
    #[error("it was recorded before the plugin's configuration was kept with a delivery")]
    NoContext,
    #[error("it has neither a request nor a reason")]
    Nothing,
    #[error("what was recorded was deleted when it was cancelled")]
    Cancelled,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduced {
    pub delivery: String,
    pub destination: String,
    pub plugin: String,
    pub digest: String,
    pub result: Comparison,
    /// The same of both runs, or else it is not deterministic.
    pub fuel: Option<u64>,
    pub memory_bytes: u64,
    pub took_us: u64,
}

/// How what was made now is to what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Comparison {
    /// Every byte is the same, or the same failure.
    Identical {
        /// The request's body in bytes, or nothing of a failure.
        body_bytes: Option<usize>,
    },
    /// It is not.
    Different { part: &'static str, recorded: String, now: String },
    /// Two runs gave different things, or took different fuel.
    NotDeterministic,
}

/// How much of a difference is shown, in characters.
const SHOWN_CHARS: usize = 200;

impl Recorded {
    /// What a journal has of a delivery.
    ///
    /// # Errors
    /// When it cannot be run again.
    pub fn of(journal: &DeliveryJournal) -> Result<Recorded, Error> {
        if journal.state == State::Cancelled {
            return Err(Error::Cancelled);
        }
        let record: DeliveryRecord = record::read(&journal.payload).map_err(Error::Record)?;
        let context = record.context.ok_or(Error::NoContext)?;
        let made = match (record.request, &journal.reason) {
            (Some(request), _) => Made::Request(record.index as usize, request),
            (None, Some(reason)) => Made::Failure(reason.clone()),
            (None, None) => return Err(Error::Nothing),
        };
        Ok(Recorded {
            id: journal.key.to_string(),
            destination: journal.destination.clone(),
            plugin: record.plugin,
            digest: record.digest,
            saw: serde_json::from_str(record.saw.get()).map_err(Error::Saw)?,
            context: serde_json::from_str(context.get()).map_err(Error::Saw)?,
            made,
        })
    }

    /// Runs it through this plugin, twice, and compares.
    pub fn run(&self, plugin: &Plugin) -> Reproduced {
        let (first, usage) = plugin.transform_metered(&self.saw, &self.context);
        let (second, again) = plugin.transform_metered(&self.saw, &self.context);
        let result = match first == second && usage.fuel == again.fuel {
            true => self.compare(plugin, first),
            false => Comparison::NotDeterministic,
        };
        let Usage { fuel, memory_bytes, took } = usage;
        Reproduced {
            delivery: self.id.clone(),
            destination: self.destination.clone(),
            plugin: self.plugin.clone(),
            digest: self.digest.clone(),
            result,
            fuel,
            memory_bytes,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        }
    }

    fn compare(&self, plugin: &Plugin, now: Result<Transformed, CallError>) -> Comparison {
        match (&self.made, now) {
            (Made::Request(index, recorded), Ok(Transformed::Requests(mut requests))) => {
                if *index >= requests.len() {
                    return different("requests", format!("at least {}", index + 1), requests.len().to_string());
                }
                same(recorded, &requests.swap_remove(*index).into())
            }
            (Made::Request(..), other) => different("outcome", "a request".into(), self.told(plugin, &other)),
            (Made::Failure(reason), now) => match self.told(plugin, &now) {
                now if now == *reason => Comparison::Identical { body_bytes: None },
                now => different("outcome", reason.clone(), now),
            },
        }
    }
}

impl Recorded {
    /// An outcome in the words that a dead letter has for it.
    fn told(&self, plugin: &Plugin, outcome: &Result<Transformed, CallError>) -> String {
        match outcome {
            Ok(Transformed::Requests(requests)) => match self.refusal(plugin, requests) {
                Some(problem) => format!("transform failed: {problem}"),
                None => format!("{} requests", requests.len()),
            },
            Ok(Transformed::Skip(reason)) => format!("filtered: {}", printable(reason)),
            Ok(Transformed::Invalid(reason)) => format!("invalid: {}", printable(reason)),
            Err(error) => format!("transform failed: {error}"),
        }
    }

    /// Why the gateway would not have sent these.
    fn refusal(&self, plugin: &Plugin, requests: &[contract::Request]) -> Option<String> {
        let config: Value = serde_json::from_str(&self.context.config).unwrap_or_default();
        requests.iter().find_map(|it| request::judged(plugin.manifest(), &config, None, it).problem)
    }
}

impl Reproduced {
    /// Whether it is as it was recorded.
    pub fn is_identical(&self) -> bool {
        matches!(self.result, Comparison::Identical { .. })
    }
}

fn same(recorded: &RequestRecord, now: &RequestRecord) -> Comparison {
    let pairs = |list: &[(String, String)]| {
        list.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    let parts = [
        ("endpoint", recorded.endpoint.clone(), now.endpoint.clone()),
        ("path", pairs(&recorded.path), pairs(&now.path)),
        ("query", pairs(&recorded.query), pairs(&now.query)),
        ("headers", pairs(&recorded.headers), pairs(&now.headers)),
    ];
    if let Some((part, recorded, now)) = parts.into_iter().find(|(_, recorded, now)| recorded != now) {
        return different(part, recorded, now);
    }
    let (old, new) = (recorded.body.clone().into_bytes(), now.body.clone().into_bytes());
    if old == new {
        return Comparison::Identical { body_bytes: Some(new.len()) };
    }
    let at = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let from = |body: &[u8]| format!("byte {at}: {}", String::from_utf8_lossy(body.get(at..).unwrap_or_default()));
    different("body", from(&old), from(&new))
}

fn different(part: &'static str, recorded: String, now: String) -> Comparison {
    let shown = |text: String| match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    };
    Comparison::Different { part, recorded: shown(recorded), now: shown(now) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Body;

    fn request(body: &str) -> RequestRecord {
        RequestRecord {
            endpoint: "events".into(),
            path: Vec::new(),
            query: vec![("debug".into(), "1".into())],
            headers: Vec::new(),
            body: Body::Text(body.into()),
        }
    }

    #[test]
    fn the_same_bytes_are_identical() {
        assert_eq!(same(&request("{}"), &request("{}")), Comparison::Identical { body_bytes: Some(2) });
    }

    #[test]
    fn the_first_byte_that_differs_is_shown() {
        let expected = Comparison::Different { part: "body", recorded: "byte 5: 1}".into(), now: "byte 5: 2}".into() };
        assert_eq!(same(&request("{\"a\":1}"), &request("{\"a\":2}")), expected);
        let longer = same(&request(""), &request(&"x".repeat(500)));
        let Comparison::Different { now, .. } = longer else { panic!("{longer:?}") };
        assert_eq!(now.chars().count(), SHOWN_CHARS + 1);
    }

    #[test]
    fn every_part_of_a_request_is_compared() {
        let endpoint = RequestRecord { endpoint: "others".into(), ..request("") };
        let query = RequestRecord { query: Vec::new(), ..request("") };
        let path = RequestRecord { path: vec![("id".into(), "1".into())], ..request("") };
        let headers = RequestRecord { headers: vec![("x-a".into(), "1".into())], ..request("") };
        for (part, changed) in [("endpoint", endpoint), ("query", query), ("path", path), ("headers", headers)] {
            let found = same(&request(""), &changed);
            assert!(matches!(found, Comparison::Different { part: named, .. } if named == part), "{found:?}");
        }
    }
}
