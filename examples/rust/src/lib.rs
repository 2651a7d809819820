//! Kompas Ads, an imaginary platform with the quirks of real ones: the same plugin is beside it in JavaScript and Python.
//!
//! Its Conversions API v2 wants Unix seconds, amounts as text in the currency's smallest unit, currencies in lower case and
//! identifiers as lists of digests. It judges each conversion of a request by itself, in a body with status 200.

mod answer;

use serde::{Deserialize, Serialize};
use tidegate_plugin_sdk::{
    Context, Event, EventKind, Item, Plugin, Rejection, Request, Response, Verdict, items, json, money, names, time,
};

/// The plugin.
pub struct Kompas;
tidegate_plugin_sdk::export!(Kompas);

#[derive(Deserialize)]
struct Config {
    custom_events: CustomEvents,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CustomEvents {
    Send,
    Drop,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    coupon: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    conversions: [Conversion<'a>; 1],
}

/// A conversion as Kompas documents it; what is not known is left out.
#[derive(Serialize)]
struct Conversion<'a> {
    dedup_key: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    event_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    basket: Vec<Product<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_url: Option<&'a str>,
    user: User<'a>,
    limited_data_use: bool,
}

#[derive(Serialize)]
struct Product<'a> {
    sku: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    qty: money::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<String>,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    em: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ph: Option<[&'a str; 1]>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
}

impl Plugin for Kompas {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: Config = json::config(&ctx)?;
        let (r#type, label) = named(&event, config.custom_events)?;
        let money = if r#type == "SALE" { Some(money::required(&event)?) } else { money::of(&event) };
        let user = User {
            em: event.identifier("email").map(|digest| [digest]),
            ph: event.identifier("phone").map(|digest| [digest]),
            id: event.user_id.as_deref(),
            agent: event.user_agent(),
        };
        let click_ref = event.cookie("_kompas");
        if user.em.is_none() && user.ph.is_none() && user.id.is_none() && click_ref.is_none() {
            return Err(Rejection::invalid("nothing that Kompas could find the customer by"));
        }
        let properties: Properties = json::properties(&event.properties);
        let conversion = Conversion {
            dedup_key: &event.id,
            r#type,
            label,
            event_time: time::seconds(event.at_ms),
            amount: money.map(|money| money.minor_units()),
            currency: money.map(|money| money.currency.to_ascii_lowercase()),
            order_ref: event.order_id.as_deref(),
            coupon: properties.coupon,
            basket: event.items.iter().filter_map(|item| product(item, event.currency.as_deref())).collect(),
            click_ref,
            source_url: event.page_url(),
            user,
            limited_data_use: event.consent.limited_data_use,
        };
        let request = Request::json("conversions", &Body { conversions: [conversion] })?;
        // A dry run is checked and shown in Kompas Studio, and counts for nothing.
        Ok(vec![if ctx.test_mode { request.with_query("dry_run", "1") } else { request }])
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}

/// What Kompas calls the event, and what it is labelled with where that says too little.
fn named(event: &Event, custom: CustomEvents) -> Result<(&'static str, Option<&str>), Rejection> {
    if event.kind != EventKind::Track {
        return Err(Rejection::skip("not a conversion"));
    }
    match event.name.as_str() {
        names::PURCHASE => Ok(("SALE", None)),
        names::GENERATE_LEAD => Ok(("LEAD", None)),
        names::SIGN_UP => Ok(("SIGNUP", None)),
        names::ADD_TO_CART => Ok(("BASKET", None)),
        name if custom == CustomEvents::Send => Ok(("CUSTOM", Some(name))),
        _ => Err(Rejection::skip("not a conversion")),
    }
}

/// A product needs its number; a price is in the event's currency, or not said.
fn product<'a>(item: &'a Item, currency: Option<&str>) -> Option<Product<'a>> {
    let price = item.price.zip(currency).map(|(value, currency)| money::Money { value, currency });
    Some(Product {
        sku: item.id.as_deref()?,
        name: item.name.as_deref(),
        qty: money::Number(items::quantity(item)),
        unit_price: price.map(|price| price.minor_units()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_nobody_can_find_is_not_sent() {
        let event = Event { value: Some(1.0), currency: Some("EUR".into()), ..Event::example() };
        let ctx = Context { config: r#"{"advertiser_id":"1","custom_events":"drop"}"#.into(), ..Context::example() };
        let reason = "nothing that Kompas could find the customer by";
        assert_eq!(Kompas::transform(event, ctx), Err(Rejection::invalid(reason)));
    }
}
