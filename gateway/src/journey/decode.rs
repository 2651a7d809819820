//! Decode: what a client sent, in whichever protocol, as drafts of events.
//!
//! Owns the wire formats and says what is wrong with a field and where. Decides nothing about identity or consent.

mod commerce;
mod field;
mod own;
mod person;
mod segment;

pub use field::FieldError;
use serde_json::{Map, Value};
use tidegate_consent::Signals;
use tidegate_event::{Client, EventId, Identifiers, Item, Kind, Page, Session};

use super::Protocol;

/// An event as its client reported it: types checked, nothing added.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub id: Option<EventId>,
    pub kind: Option<Kind>,
    pub name: String,
    /// When it happened by the client's clock.
    pub at_ms: Option<u64>,
    /// When it was sent by the client's clock.
    pub sent_ms: Option<u64>,
    pub anonymous_id: Option<String>,
    pub user_id: Option<String>,
    pub identifiers: Identifiers,
    /// Click IDs by kind, where the client names them itself.
    pub clicks: Vec<(String, String)>,
    /// Cookies of the platforms, where a backend passes them on.
    pub cookies: Vec<(String, String)>,
    pub page: Page,
    pub client: Client,
    pub session: Option<Session>,
    /// Every signal of consent that the event has.
    pub consent: Signals,
    pub value: Option<f64>,
    pub currency: Option<String>,
    pub order_id: Option<String>,
    pub items: Vec<Item>,
    pub properties: Map<String, Value>,
}

/// A body, parsed as far as its envelope.
#[derive(Debug)]
pub struct Envelope {
    /// A key that stood in the body.
    pub write_key: Option<String>,
    /// Its events, in order, each an object or not.
    pub events: Vec<Value>,
    /// When the whole was sent by the client's clock.
    sent_at: Option<Value>,
    /// The context that applies to all.
    context: Option<Value>,
    /// The body was a list of events, not a single one.
    pub shape: Shape,
    /// The page has links to the site's other domains, and asks for a token for them.
    pub wants_link: bool,
    /// The token that the page was reached with, from another of the site's domains.
    pub arrived: Option<String>,
}

/// Whether a body held one event or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    Many,
}

/// Opens a body's envelope.
///
/// # Errors
/// When it is no JSON object, or its list of events is no list.
pub fn open(body: &[u8], protocol: Protocol) -> Result<Envelope, FieldError> {
    let value: Value = serde_json::from_slice(body).map_err(|e| FieldError {
        field: String::new(),
        expected: "a JSON object",
        found: format!("text that is no JSON ({e})"),
    })?;
    let list_name = match protocol {
        Protocol::SegmentBatch => "batch",
        Protocol::Own => "events",
        Protocol::Segment(_) => "",
    };
    let mut object = match value {
        Value::Object(object) => object,
        Value::Array(events) if protocol == Protocol::Own => {
            return Ok(Envelope::of(events, Shape::Many));
        }
        other => return Err(field::wrong("", "a JSON object", &other)),
    };
    let write_key = ["writeKey", "write_key"].iter().find_map(|key| object.remove(*key)?.as_str().map(str::to_owned));
    let (events, shape) = match object.remove(list_name) {
        Some(Value::Array(events)) => (events, Shape::Many),
        Some(other) => return Err(field::wrong(list_name, "a list of events", &other)),
        None if protocol == Protocol::SegmentBatch => {
            return Err(FieldError { field: list_name.into(), expected: "a list of events", found: "nothing".into() });
        }
        None => {
            let event = Value::Object(object);
            return Ok(Envelope { write_key, ..Envelope::of(vec![event], Shape::One) });
        }
    };
    let (sent_at, context) = (object.remove("sentAt"), object.remove("context"));
    let wants_link = object.remove("link") == Some(Value::Bool(true));
    let arrived = object.remove("arrived").and_then(|token| token.as_str().map(str::to_owned));
    Ok(Envelope { write_key, events, sent_at, context, shape, wants_link, arrived })
}

impl Envelope {
    fn of(events: Vec<Value>, shape: Shape) -> Envelope {
        Envelope { write_key: None, events, sent_at: None, context: None, shape, wants_link: false, arrived: None }
    }

    /// A single event that came without a body.
    pub fn single(event: Value) -> Envelope {
        Envelope::of(vec![event], Shape::One)
    }

    /// Decodes one of the envelope's events.
    ///
    /// # Errors
    /// Names the field, what was expected and what was found.
    pub fn draft(&self, event: &Value, protocol: Protocol) -> Result<Draft, FieldError> {
        let object = event.as_object().ok_or_else(|| field::wrong("", "a JSON object", event))?;
        match protocol {
            Protocol::Own => own::draft(object),
            Protocol::SegmentBatch => segment::draft(object, None, self.sent_at.as_ref(), self.context.as_ref()),
            Protocol::Segment(kind) => segment::draft(object, Some(kind), None, None),
        }
    }
}
