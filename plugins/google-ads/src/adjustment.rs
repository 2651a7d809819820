//! One entry of `conversionAdjustments`: identifiers for a conversion that Google's tag has reported, or a refund.
//!
//! Source: `ConversionAdjustment` in `conversion_adjustment_upload_service.proto`, and the guides "Enhanced conversions for
//! web" and "Import conversion adjustments".

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Rejection, time};

use crate::identifiers::{self, UserIdentifier};
use crate::moment;
use crate::upload::{self, Source};

/// One adjustment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversionAdjustment<'a> {
    conversion_action: String,
    adjustment_type: &'static str,
    order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restatement_value: Option<RestatementValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gclid_date_time_pair: Option<GclidDateTimePair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user_identifiers: Vec<UserIdentifier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RestatementValue<'a> {
    adjusted_value: Number,
    currency_code: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GclidDateTimePair<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    gclid: Option<&'a str>,
    conversion_date_time: String,
}

/// Identifiers for a conversion that Google's tag has reported under the same order id.
///
/// # Errors
/// A skip where nothing identifies the visitor, and whatever would make Google refuse it.
pub(crate) fn enhancement<'a>(source: Source<'a>, action: &str) -> Result<ConversionAdjustment<'a>, Rejection> {
    let Source { event, config, ctx, .. } = source;
    let identifiers = identifiers::of_enhancement(event);
    if identifiers.is_empty() {
        return Err(Rejection::skip(
            "nothing to enhance the conversion with: no e-mail address, phone number or address",
        ));
    }
    let order_id = upload::order_id(event)?.ok_or_else(|| {
        Rejection::invalid("enhancement without order id: it has to be the one that Google's tag sent")
    })?;
    if time::is_older(event.at_ms, moment::ENHANCEMENT_MS, ctx.now_ms) {
        return Err(Rejection::invalid("older than 24 hours: Google enhances no older conversion"));
    }
    let gclid = upload::click(event).filter(|click| click.kind == "gclid").map(|click| click.value.as_str());
    Ok(ConversionAdjustment {
        conversion_action: upload::resource(config, action),
        adjustment_type: "ENHANCEMENT",
        order_id,
        adjustment_date_time: None,
        restatement_value: None,
        gclid_date_time_pair: Some(GclidDateTimePair {
            gclid,
            conversion_date_time: moment::written(event.at_ms, ctx.now_ms)?,
        }),
        user_identifiers: identifiers,
        user_agent: event.user_agent(),
    })
}

/// Takes a conversion back, or restates what it is worth now.
///
/// A refund's own value says what was paid back, and Google wants what is left: only a backend that knows the order can
/// tell, in the property `adjusted_value`. Without it an order id alone is the whole order, as in GA4.
///
/// # Errors
/// Whatever would make Google refuse it, and a refund of items of which nobody says what is left.
pub(crate) fn refund<'a>(source: Source<'a>, action: &str) -> Result<ConversionAdjustment<'a>, Rejection> {
    let Source { event, properties, config, ctx } = source;
    let order_id = upload::order_id(event)?.ok_or_else(|| Rejection::invalid("refund without order id"))?;
    let left = match &properties.adjusted_value {
        None if !event.items.is_empty() => {
            return Err(Rejection::invalid(
                "refund of items without `adjusted_value`: Google wants what is left of the order's value, 0 for nothing",
            ));
        }
        None => 0.0,
        Some(said) => said
            .number()
            .filter(|left| *left >= 0.0)
            .ok_or_else(|| Rejection::invalid("refund whose `adjusted_value` is no amount"))?,
    };
    let restatement_value = match event.currency.as_deref() {
        _ if left == 0.0 => None,
        Some(currency_code) => {
            Some(RestatementValue { adjusted_value: money::round(left, currency_code), currency_code })
        }
        None => return Err(Rejection::invalid("refund with `adjusted_value` and without currency")),
    };
    Ok(ConversionAdjustment {
        conversion_action: upload::resource(config, action),
        adjustment_type: if restatement_value.is_some() { "RESTATEMENT" } else { "RETRACTION" },
        order_id,
        adjustment_date_time: Some(moment::written(event.at_ms, ctx.now_ms)?),
        restatement_value,
        gclid_date_time_pair: None,
        user_identifiers: Vec::new(),
        user_agent: None,
    })
}
