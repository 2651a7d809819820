//! The webhook's body. Its shape is a promise to other people's code: fields may be added, none is renamed or removed.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_plugin_sdk::money::Number;
use tidegate_plugin_sdk::{
    ClickId, Client, Consent, Context, Event, Identifier, Item, Page, Purposes, Rejection, Session, time,
};

/// The whole body.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    /// The event's name.
    r#type: &'a str,
    /// When it happened, in ISO 8601.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    kind: &'static str,
    received_at: String,
    #[serde(skip_serializing_if = "is_false")]
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "identifiers")]
    identifiers: &'a [Identifier],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clicks: Vec<ClickBody<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "pairs")]
    cookies: &'a [(String, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<PageBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionBody<'a>>,
    consent: ConsentBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<ItemBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ClickBody<'a> {
    kind: &'a str,
    value: &'a str,
    seen_at: String,
}

#[derive(Serialize)]
struct PageBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<&'a str>,
}

#[derive(Serialize)]
struct ClientBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

#[derive(Serialize)]
struct SessionBody<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engagement_ms: Option<u64>,
}

#[derive(Serialize)]
struct ConsentBody<'a> {
    granted: &'a Purposes,
    denied: &'a Purposes,
    gpc: bool,
    limited_data_use: bool,
}

#[derive(Serialize)]
struct ItemBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<&'a RawValue>,
}

/// The body that reports an event.
pub(crate) fn of<'a>(event: &'a Event, ctx: &Context) -> Result<Body<'a>, Rejection> {
    let data = Data {
        id: &event.id,
        kind: event.kind.as_str(),
        received_at: time::iso8601(event.received_ms),
        test: ctx.test_mode,
        anonymous_id: event.anonymous_id.as_deref(),
        user_id: event.user_id.as_deref(),
        identifiers: &event.identifiers,
        clicks: event.clicks.iter().map(click).collect(),
        cookies: &event.cookies,
        page: event.page.as_ref().map(page),
        client: event.client.as_ref().map(client),
        session: event.session.as_ref().map(session),
        consent: consent(&event.consent),
        value: event.value.map(Number),
        currency: event.currency.as_deref(),
        order_id: event.order_id.as_deref(),
        items: event.items.iter().map(item).collect::<Result<_, _>>()?,
        properties: object(&event.properties)?,
    };
    Ok(Body { r#type: &event.name, timestamp: time::iso8601(event.at_ms), data })
}

fn click(click: &ClickId) -> ClickBody<'_> {
    ClickBody { kind: &click.kind, value: &click.value, seen_at: time::iso8601(click.seen_ms) }
}

fn page(page: &Page) -> PageBody<'_> {
    PageBody { url: page.url.as_deref(), title: page.title.as_deref(), referrer: page.referrer.as_deref() }
}

fn client(client: &Client) -> ClientBody<'_> {
    ClientBody {
        ip: client.ip.as_deref(),
        user_agent: client.user_agent.as_deref(),
        locale: client.locale.as_deref(),
        region: client.region.as_deref(),
    }
}

fn session(session: &Session) -> SessionBody<'_> {
    SessionBody { id: &session.id, number: session.number, engagement_ms: session.engagement_ms }
}

fn consent(consent: &Consent) -> ConsentBody<'_> {
    ConsentBody {
        granted: &consent.granted,
        denied: &consent.denied,
        gpc: consent.gpc,
        limited_data_use: consent.limited_data_use,
    }
}

fn item(item: &Item) -> Result<ItemBody<'_>, Rejection> {
    Ok(ItemBody {
        id: item.id.as_deref(),
        name: item.name.as_deref(),
        quantity: item.quantity.map(Number),
        price: item.price.map(Number),
        brand: item.brand.as_deref(),
        category: item.category.as_deref(),
        variant: item.variant.as_deref(),
        properties: object(&item.properties)?,
    })
}

/// Properties are passed on as they are written, digit by digit; an empty object is left out.
fn object(text: &str) -> Result<Option<&RawValue>, Rejection> {
    match text {
        "" | "{}" => Ok(None),
        _ => serde_json::from_str(text).map(Some).map_err(|e| Rejection::invalid(format!("the properties: {e}"))),
    }
}

fn identifiers<S: Serializer>(identifiers: &[Identifier], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(identifiers.iter().map(|identifier| (&identifier.key, &identifier.value)))
}

fn pairs<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

fn is_false(value: &bool) -> bool {
    !value
}
