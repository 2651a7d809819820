//! An event as `/api/events` takes it, and the request around it.
//!
//! Source: `EventCreateQueryV2` of Klaviyo's OpenAPI description.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Context, Event, EventKind, Item, RawPairs, Rejection, Request, items, names, time};

use crate::config::Config;
use crate::names::ORDERED_PRODUCT;
use crate::products::EventProperties;
use crate::profile::{self, Attributes, Identity};

const HOUR_MS: u64 = 3_600_000;
/// "Must not exceed 400 properties"; some are left for what is made of the event itself. One that is `null` would clear a
/// field of a profile.
pub(crate) const PROPERTIES_MAX: usize = 360;

/// All that a request is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a RawPairs<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) ctx: &'a Context,
}

/// A JSON:API resource.
#[derive(Serialize)]
struct Resource<T> {
    r#type: &'static str,
    attributes: T,
}

#[derive(Serialize)]
struct Related<T> {
    data: Resource<T>,
}

fn related<T>(r#type: &'static str, attributes: T) -> Related<T> {
    Related { data: Resource { r#type, attributes } }
}

#[derive(Serialize)]
struct Metric<'a> {
    name: &'a str,
}

/// One event's attributes.
#[derive(Serialize)]
struct EventAttributes<'a> {
    properties: EventProperties<'a>,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_currency: Option<&'a str>,
    unique_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<bool>,
    metric: Related<Metric<'a>>,
    profile: Related<Attributes<'a>>,
}

/// A request for each metric, and for each product of an order.
pub(crate) fn requests(
    metrics: &[&str],
    identity: &Identity<'_>,
    source: Source<'_>,
) -> Result<Vec<Request>, Rejection> {
    let Source { event, config, .. } = source;
    let money = money::of(event).filter(|money| money.value.is_finite());
    let mut requests = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let mut attributes = common(metric, identity, source);
        attributes.value = money.map(|money| money.amount());
        attributes.value_currency = money.map(|money| money.currency);
        requests.push(request("events", &Resource { r#type: "event", attributes }, config)?);
    }
    if config.ordered_products && is(event, names::PURCHASE) {
        for (index, item) in event.items.iter().enumerate() {
            let mut attributes = common(ORDERED_PRODUCT, identity, source);
            attributes.properties = EventProperties::of_product(item, source);
            attributes.unique_id = product_id(event, item, index);
            let total = item.price.map(|price| price * items::quantity(item)).filter(|total| total.is_finite());
            let total = total.zip(event.currency.as_deref());
            attributes.value = total.map(|(total, currency)| money::round(total, currency));
            attributes.value_currency = total.map(|(_, currency)| currency);
            requests.push(request("events", &Resource { r#type: "event", attributes }, config)?);
        }
    }
    Ok(requests)
}

/// The POST that carries a resource.
pub(crate) fn request<T: Serialize>(endpoint: &str, data: &T, config: &Config<'_>) -> Result<Request, Rejection> {
    #[derive(Serialize)]
    struct Body<'a, T> {
        data: &'a T,
    }
    let mut request = Request::json(endpoint, &Body { data })?;
    request.headers = vec![("content-type".into(), "application/vnd.api+json".into())];
    Ok(request.with_header("revision", &*config.revision))
}

/// Whether the event is this canonical one.
pub(crate) fn is(event: &Event, name: &str) -> bool {
    event.kind == EventKind::Track && event.name == name
}

/// What every request for an event has.
fn common<'a>(metric: &'a str, identity: &Identity<'a>, source: Source<'a>) -> EventAttributes<'a> {
    let Source { event, config, ctx, .. } = source;
    // A clock that is ahead is taken for now.
    let at_ms = event.at_ms.min(ctx.now_ms);
    let late = |hours: u64| ctx.now_ms - at_ms > hours.saturating_mul(HOUR_MS);
    EventAttributes {
        properties: EventProperties::of(source),
        time: time::iso8601(at_ms),
        value: None,
        value_currency: None,
        unique_id: unique_id(event),
        backfill: config.backfill_after_hours.is_some_and(late).then_some(true),
        metric: related("metric", Metric { name: metric }),
        profile: related("profile", told_profile(identity, event)),
    }
}

/// Where customers write down who they are, the whole of it goes along; elsewhere what identifies them suffices.
fn told_profile<'a>(identity: &Identity<'a>, event: &'a Event) -> Attributes<'a> {
    const TELLING: [&str; 3] = [names::PURCHASE, names::SIGN_UP, names::GENERATE_LEAD];
    if TELLING.iter().any(|name| is(event, name)) {
        profile::attributes(identity.clone(), event, None)
    } else {
        Attributes::only(identity.clone())
    }
}

/// "If the unique_id is repeated for the same profile and metric, only the first processed event will be recorded."
fn unique_id(event: &Event) -> Cow<'_, str> {
    let session_id = event.session.as_ref().map(|session| session.id.as_str());
    let known = match event.kind {
        // Klaviyo's own tag reports that somebody is on the site, and not every page.
        EventKind::Page => session_id,
        EventKind::Track if event.name == names::PAGE_VIEW => session_id,
        // The same order may come from the browser and from the shop's backend.
        EventKind::Track if event.name == names::PURCHASE => event.order_id.as_deref(),
        _ => None,
    };
    Cow::Borrowed(known.filter(|id| !id.is_empty()).unwrap_or(&event.id))
}

/// The order's id with the product's, as Klaviyo's guide has it; a product that comes twice is told by its place.
fn product_id<'a>(event: &'a Event, item: &Item, index: usize) -> Cow<'a, str> {
    let order = unique_id(event);
    let earlier = event.items.iter().take(index);
    match item.id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) if !earlier.into_iter().any(|other| other.id == item.id) => Cow::Owned([&order, "_", id].concat()),
        Some(id) => Cow::Owned([&order, "_", id, "_", &index.to_string()].concat()),
        None => Cow::Owned([&order, "_", &index.to_string()].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: Option<&str>) -> Item {
        Item {
            id: id.map(str::to_owned),
            name: None,
            quantity: None,
            price: None,
            brand: None,
            category: None,
            variant: None,
            properties: "{}".into(),
        }
    }

    #[test]
    fn every_product_of_an_order_has_an_id_of_its_own() {
        let items = vec![item(Some("a")), item(Some("b")), item(Some("a")), item(None)];
        let event = Event { order_id: Some("A-1".into()), items, ..Event::example() };
        let ids: Vec<_> = event.items.iter().enumerate().map(|(at, item)| product_id(&event, item, at)).collect();
        assert_eq!(ids, ["A-1_a", "A-1_b", "A-1_a_2", "A-1_3"]);
    }
}
