//! One entry of `conversions`: an event that Google is told of here, and nowhere else.
//!
//! Source: `ClickConversion` in `conversion_upload_service.proto`, and the guide "Manage offline conversions".

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Purposes, Rejection, time};

use crate::cart::{self, CartData};
use crate::config::WithoutClick;
use crate::identifiers::{self, UserIdentifier};
use crate::moment;
use crate::upload::{self, Source};

/// One conversion.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClickConversion<'a> {
    conversion_action: String,
    conversion_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gclid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gbraid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wbraid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion_value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency_code: Option<&'a str>,
    order_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user_identifiers: Vec<UserIdentifier<'a>>,
    consent: Consent,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cart_data: Option<CartData<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Consent {
    ad_user_data: &'static str,
    ad_personalization: &'static str,
}

/// Builds the conversion for one conversion action.
///
/// # Errors
/// A skip for what no ad of Google's can have led to, and whatever would make Google refuse it.
pub(crate) fn conversion<'a>(source: Source<'a>, action: &str) -> Result<ClickConversion<'a>, Rejection> {
    let Source { event, properties, config, ctx } = source;
    if time::is_older(event.at_ms, moment::WINDOW_MS, ctx.now_ms) {
        return Err(Rejection::invalid("older than 90 days, the longest window of a conversion action"));
    }
    let click = upload::click(event);
    let click_id = |kind: &str| click.filter(|click| click.kind == kind).map(|click| click.value.as_str());
    let is_braid = click.is_some() && click_id("gclid").is_none();
    let identifiers = match is_braid && !config.identifiers_with_braid {
        true => Vec::new(),
        false => identifiers::of_conversion(event),
    };
    if click.is_none() && (identifiers.is_empty() || config.without_click == WithoutClick::Skip) {
        return Err(Rejection::skip(match config.without_click {
            WithoutClick::Send => "no click on a Google ad, and neither an e-mail address nor a phone number",
            WithoutClick::Skip => "no click on a Google ad",
        }));
    }
    let money = money::of(event).filter(|money| money.value.is_finite());
    Ok(ClickConversion {
        conversion_action: upload::resource(config, action),
        conversion_date_time: moment::written(event.at_ms, ctx.now_ms)?,
        gclid: click_id("gclid"),
        gbraid: click_id("gbraid"),
        wbraid: click_id("wbraid"),
        conversion_value: money.map(|money| money.amount()),
        currency_code: money.map(|money| money.currency),
        // "An order id can only be used for one conversion per conversion action": the event's own id is as unique, and
        // keeps a conversion that is sent twice from being counted twice.
        order_id: upload::order_id(event)?.unwrap_or(&event.id),
        user_identifiers: identifiers,
        consent: consent(event),
        customer_type: properties.customer_type(),
        cart_data: cart::collect(event, properties, config),
    })
}

/// What was not granted is denied. Who asks that data about them be used less is not to be advertised to.
fn consent(event: &Event) -> Consent {
    let status = |granted: bool| if granted { "GRANTED" } else { "DENIED" };
    let consent = &event.consent;
    let personalization = consent.granted.contains(Purposes::AD_PERSONALIZATION);
    Consent {
        ad_user_data: status(consent.granted.contains(Purposes::AD_USER_DATA)),
        ad_personalization: status(personalization && !consent.gpc && !consent.limited_data_use),
    }
}
