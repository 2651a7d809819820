//! One entry of `events`, and the request around it.
//!
//! Source: "HTTP V2 API", section "Keys for the event argument".

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::Number;
use tidegate_plugin_sdk::{ClickId, Context, Event, Rejection, Request};

use crate::config::{Config, MIN_ID_LENGTH, Region};
use crate::event_properties::EventProperties;
use crate::people::{GroupProperties, UserProperties};
use crate::properties::{self, Properties, cut};
use crate::revenue::{self, Revenue};
use crate::{event_properties, identity};

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) ctx: &'a Context,
}

/// One event as Amplitude knows it.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    time: u64,
    pub(crate) insert_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event_properties: Option<EventProperties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_properties: Option<UserProperties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<Groups<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group_properties: Option<GroupProperties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revenue: Option<Number>,
    #[serde(rename = "productId", skip_serializing_if = "Option::is_none")]
    product_id: Option<&'a str>,
    #[serde(rename = "revenueType", skip_serializing_if = "Option::is_none")]
    revenue_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
}

/// The group that an event is reported for: its type, and its id.
#[derive(Clone)]
pub(crate) struct Groups<'a>(pub(crate) &'a str, pub(crate) Cow<'a, str>);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}

/// The entries for an event: one for each name, and with revenue by product one for each item.
///
/// # Errors
/// When Amplitude would refuse the event.
pub(crate) fn of_names<'a>(names: &[&'a str], source: Source<'a>) -> Result<Vec<Entry<'a>>, Rejection> {
    let Source { event, properties, config, .. } = source;
    let mut entries = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let mut entry = new(name, source)?;
        entry.event_properties = Some(EventProperties::of(source));
        entry.user_properties = UserProperties::of_clicks(&event.clicks);
        let group = config.group_type.as_deref().zip(properties::id(properties, "groupId"));
        entry.groups = group.map(|(kind, id)| Groups(kind, id));
        if index == 0 {
            // Only one of several events is the sale itself.
            entry.earns(revenue::of_order(event, config));
        } else {
            entry.insert_id = Cow::Owned([&event.id, ":", name].concat());
        }
        entries.push(entry);
    }
    for (index, sale) in revenue::by_product(event, config).into_iter().enumerate() {
        let mut entry = new(sale.name, source)?;
        entry.insert_id = Cow::Owned([&event.id, ":product:", &index.to_string()].concat());
        entry.event_properties = Some(EventProperties::of_product(sale.item, source));
        entry.earns(sale.revenue);
        entries.push(entry);
    }
    Ok(entries)
}

/// An entry that has what all of them have.
pub(crate) fn new<'a>(event_type: &'a str, source: Source<'a>) -> Result<Entry<'a>, Rejection> {
    let Source { event, config, ctx, .. } = source;
    let identity = identity::of(event, config)?;
    let client = event.client.as_ref();
    let region = client.and_then(|client| client.region.as_deref());
    Ok(Entry {
        event_type: cut(event_type),
        user_id: identity.user_id.map(cut),
        device_id: identity.device_id.map(cut),
        // A clock that is ahead is taken for now.
        time: event.at_ms.min(ctx.now_ms),
        insert_id: Cow::Borrowed(&event.id),
        session_id: identity::session_id(event),
        platform: event_properties::is_web(event).then_some("Web"),
        user_agent: event.user_agent().map(cut),
        language: client.and_then(|client| client.locale.as_deref()).map(cut),
        country: region.map(|region| region.split_once('-').map_or(region, |(country, _)| country)),
        region: region.filter(|region| region.contains('-')),
        event_properties: None,
        user_properties: None,
        groups: None,
        group_properties: None,
        price: None,
        quantity: None,
        revenue: None,
        product_id: None,
        revenue_type: None,
        currency: None,
    })
}

impl<'a> Entry<'a> {
    fn earns(&mut self, revenue: Revenue<'a>) {
        self.price = revenue.price;
        self.quantity = revenue.quantity;
        self.revenue = revenue.revenue;
        self.product_id = revenue.product_id;
        self.revenue_type = revenue.revenue_type;
        self.currency = revenue.currency;
    }
}

/// The request's body. Everything but `events` is the same for all events of a destination, so that they can be joined.
#[derive(Serialize)]
struct Body<'a> {
    events: [&'a Entry<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Options>,
}

#[derive(Serialize)]
struct Options {
    min_id_length: usize,
}

/// The POST that carries an entry.
pub(crate) fn request(entry: &Entry<'_>, config: &Config<'_>) -> Result<Request, Rejection> {
    let min_id_length = config.min_id_length;
    let options = (min_id_length != MIN_ID_LENGTH).then_some(Options { min_id_length });
    let endpoint = match config.region {
        Region::Us => "events",
        Region::Eu => "events_eu",
    };
    Request::json(endpoint, &Body { events: [entry], options })
}

/// Click ids by their names, behind a prefix.
pub(crate) fn clicks<M: SerializeMap>(map: &mut M, clicks: &[ClickId], prefix: &str) -> Result<(), M::Error> {
    for click in clicks {
        let value = cut(&click.value);
        if prefix.is_empty() {
            map.serialize_entry(&click.kind, value)?;
        } else {
            map.serialize_entry(&[prefix, &click.kind].concat(), value)?;
        }
    }
    Ok(())
}
