//! Segment's format: one message, or one of a batch. <https://segment.com/docs/connections/spec/common/>

use serde_json::{Map, Value};
use tidegate_consent::Signals;
use tidegate_event::{EventId, Kind, Page, Session};

use super::field::{FieldError, Fields, wrong};
use super::{Draft, commerce, person};

/// Decodes one message. `kind` is what the route says; without one the message's `type` says it.
pub(super) fn draft(
    message: &Map<String, Value>,
    kind: Option<Kind>,
    sent_at: Option<&Value>,
    batch_context: Option<&Value>,
) -> Result<Draft, FieldError> {
    let root = Fields::root(message);
    let kind = kind.map_or_else(|| kind_of(root), Ok)?;
    let mut draft = Draft { kind: Some(kind), ..Draft::default() };
    draft.id = message_id(root, &["messageId"])?;
    draft.at_ms = root.time_ms(&["timestamp", "originalTimestamp"])?;
    draft.sent_ms = root.time_ms(&["sentAt"])?.or_else(|| sent_at.and_then(super::field::time_ms));
    draft.anonymous_id = root.id(&["anonymousId"])?;
    draft.user_id = root.id(&["userId"])?;
    name(root, kind, &mut draft)?;
    let properties = root.inner("properties")?;
    commerce::read(properties, &mut draft)?;
    let traits = root.inner("traits")?;
    person::identifiers(traits, &mut draft.identifiers)?;
    for (name, value) in traits.object().into_iter().flatten() {
        if !person::is_identifier(name) {
            draft.properties.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    for name in ["groupId", "previousId"] {
        if let Some(value) = root.get(name) {
            draft.properties.insert(name.to_owned(), value.clone());
        }
    }
    page(properties, &mut draft, kind)?;
    context(root.inner("context")?, &mut draft)?;
    if let Some(Value::Object(shared)) = batch_context {
        context(Fields::root(shared), &mut draft)?;
    }
    Ok(draft)
}

fn kind_of(root: Fields<'_>) -> Result<Kind, FieldError> {
    const EXPECTED: &str = "`track`, `page`, `screen`, `identify`, `group` or `alias`";
    let kinds = [Kind::Track, Kind::Page, Kind::Screen, Kind::Identify, Kind::Group, Kind::Alias];
    match root.get("type") {
        None => Err(FieldError { field: "type".into(), expected: EXPECTED, found: "nothing".into() }),
        Some(value) => kinds
            .into_iter()
            .find(|kind| value.as_str() == Some(kind.as_str()))
            .ok_or_else(|| wrong("type", EXPECTED, value)),
    }
}

fn name(root: Fields<'_>, kind: Kind, draft: &mut Draft) -> Result<(), FieldError> {
    draft.name = match kind {
        Kind::Track => root.text(&["event"])?.ok_or_else(|| FieldError {
            field: "event".into(),
            expected: "the event's name",
            found: root.get("event").map_or("nothing".into(), |_| "empty text".into()),
        })?,
        Kind::Page => "page_view".into(),
        Kind::Screen => "screen_view".into(),
        Kind::Identify | Kind::Group | Kind::Alias => kind.as_str().into(),
    };
    Ok(())
}

/// Takes a client's id for the event.
pub(super) fn message_id(root: Fields<'_>, names: &[&'static str]) -> Result<Option<EventId>, FieldError> {
    let Some(raw) = root.id(names)? else { return Ok(None) };
    EventId::parse(&raw).map(Some).map_err(|e| FieldError {
        field: names[0].into(),
        expected: "an id of at most 128 printable characters",
        found: format!("text that {e}"),
    })
}

/// A page call carries its page among the properties; it is moved out of them.
fn page(properties: Fields<'_>, draft: &mut Draft, kind: Kind) -> Result<(), FieldError> {
    if kind == Kind::Page {
        let Page { url, title, referrer } = &mut draft.page;
        for (slot, name) in [(url, "url"), (title, "title"), (referrer, "referrer")] {
            *slot = properties.text(&[name])?;
            draft.properties.shift_remove(name);
        }
        // The address has it too, and there it is stripped of what is personal.
        draft.properties.shift_remove("search");
    }
    Ok(())
}

fn context(context: Fields<'_>, draft: &mut Draft) -> Result<(), FieldError> {
    let page = context.inner("context.page")?;
    set(&mut draft.page.url, page.text(&["url"])?);
    set(&mut draft.page.title, page.text(&["title"])?);
    set(&mut draft.page.referrer, page.text(&["referrer"])?);
    set(&mut draft.client.ip, context.text(&["ip"])?);
    set(&mut draft.client.user_agent, context.text(&["userAgent"])?);
    set(&mut draft.client.locale, context.text(&["locale"])?);
    person::identifiers(context.inner("context.traits")?, &mut draft.identifiers)?;
    if let Some(id) = context.id(&["sessionId"])?.filter(|_| draft.session.is_none()) {
        draft.session = Some(Session { id, number: None, engagement_ms: None });
    }
    consent(context, draft)
}

fn consent(context: Fields<'_>, draft: &mut Draft) -> Result<(), FieldError> {
    let Some(value) = context.get("consent") else { return Ok(()) };
    let said = Signals::parse(value, "context.consent")?;
    draft.consent = std::mem::take(&mut draft.consent).and(said);
    Ok(())
}

fn set(slot: &mut Option<String>, value: Option<String>) {
    if slot.is_none() {
        *slot = value;
    }
}
