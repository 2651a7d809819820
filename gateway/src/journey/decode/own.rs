//! Tidegate's own format: flat, snake case, the least of it one name.

use serde_json::{Map, Value};
use tidegate_consent::Signals;
use tidegate_event::{Kind, Session};

use super::field::{FieldError, Fields, wrong};
use super::segment::message_id;
use super::{Draft, commerce, person};

/// Every field that an event may have at its top level.
const KNOWN: &[&str] = &[
    "anonymous_id",
    "client",
    "clicks",
    "consent",
    "cookies",
    "customer_id",
    "event",
    "event_id",
    "id",
    "limited_data_use",
    "message_id",
    "page",
    "properties",
    "sent_at",
    "session",
    "timestamp",
    "user",
    "user_id",
];

/// Decodes one event.
pub(super) fn draft(event: &Map<String, Value>) -> Result<Draft, FieldError> {
    if let Some(unknown) = event.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        // A misspelt field that is taken in silence is data lost in silence.
        return Err(FieldError {
            field: unknown.clone(),
            expected: "one of the fields of an event; anything of your own goes into `properties`",
            found: "an unknown field".into(),
        });
    }
    let root = Fields::root(event);
    let name = root.text(&["event"])?.ok_or_else(|| FieldError {
        field: "event".into(),
        expected: "the event's name",
        found: root.get("event").map_or("nothing".into(), |_| "empty text".into()),
    })?;
    let mut draft = Draft { kind: Some(kind(&name)), name, ..Draft::default() };
    draft.id = message_id(root, &["message_id", "event_id", "id"])?;
    draft.at_ms = root.time_ms(&["timestamp"])?;
    draft.sent_ms = root.time_ms(&["sent_at"])?;
    draft.anonymous_id = root.id(&["anonymous_id"])?;
    draft.user_id = root.id(&["customer_id", "user_id"])?;
    commerce::read(root.inner("properties")?, &mut draft)?;
    person::identifiers(root.inner("user")?, &mut draft.identifiers)?;
    let page = root.inner("page")?;
    draft.page.url = page.text(&["url"])?;
    draft.page.title = page.text(&["title"])?;
    draft.page.referrer = page.text(&["referrer"])?;
    let client = root.inner("client")?;
    draft.client.ip = client.text(&["ip"])?;
    draft.client.user_agent = client.text(&["user_agent"])?;
    draft.client.locale = client.text(&["locale"])?;
    draft.client.region = client.text(&["region"])?;
    draft.clicks = texts(root.inner("clicks")?)?;
    draft.cookies = texts(root.inner("cookies")?)?;
    draft.session = session(root.inner("session")?)?;
    if let Some(value) = root.get("consent") {
        draft.consent = Signals::parse(value, "consent")?;
    }
    match root.get("limited_data_use") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => draft.consent.limited_data_use(),
        Some(other) => return Err(wrong("limited_data_use", "true or false", other)),
    }
    Ok(draft)
}

/// Some names say themselves what kind of call they are.
fn kind(name: &str) -> Kind {
    match name {
        "page_view" | "page_viewed" => Kind::Page,
        "screen_view" | "screen_viewed" => Kind::Screen,
        "identify" => Kind::Identify,
        _ => Kind::Track,
    }
}

fn texts(fields: Fields<'_>) -> Result<Vec<(String, String)>, FieldError> {
    let entries = fields.object().into_iter().flatten();
    entries
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            other => Err(wrong(fields.path_of(name), "text", other)),
        })
        .collect()
}

fn session(fields: Fields<'_>) -> Result<Option<Session>, FieldError> {
    let Some(id) = fields.id(&["id"])? else { return Ok(None) };
    let whole = |name: &'static str| -> Result<Option<u64>, FieldError> {
        let Some(value) = fields.get(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| wrong(fields.path_of(name), "a whole number", value))
    };
    let number = whole("number")?.and_then(|number| u32::try_from(number).ok());
    Ok(Some(Session { id, number, engagement_ms: whole("engagement_ms")? }))
}
