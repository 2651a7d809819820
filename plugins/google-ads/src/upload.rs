//! The requests around conversions and adjustments. Everything but the one entry is the same for all of a destination, so
//! that they can be joined.

use serde::Serialize;
use tidegate_plugin_sdk::{ClickId, Context, Event, Rejection, Request};

use crate::adjustment::ConversionAdjustment;
use crate::config::Config;
use crate::conversion::ClickConversion;
use crate::moment;
use crate::properties::Properties;

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config,
    pub(crate) ctx: &'a Context,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversions<'a> {
    conversions: [ClickConversion<'a>; 1],
    #[serde(flatten)]
    manner: Manner,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Adjustments<'a> {
    conversion_adjustments: [ConversionAdjustment<'a>; 1],
    #[serde(flatten)]
    manner: Manner,
}

/// How Google is to take it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manner {
    /// "This should always be set to `true`."
    partial_failure: bool,
    /// "If `true`, the request is validated but not executed."
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    validate_only: bool,
}

impl Manner {
    fn of(ctx: &Context) -> Manner {
        Manner { partial_failure: true, validate_only: ctx.test_mode }
    }
}

/// The POST of one conversion.
pub(crate) fn conversion(source: Source<'_>, conversion: ClickConversion<'_>) -> Result<Request, Rejection> {
    let body = Conversions { conversions: [conversion], manner: Manner::of(source.ctx) };
    request("conversions", &body, source.config)
}

/// The POST of one adjustment.
pub(crate) fn adjustment(source: Source<'_>, adjustment: ConversionAdjustment<'_>) -> Result<Request, Rejection> {
    let body = Adjustments { conversion_adjustments: [adjustment], manner: Manner::of(source.ctx) };
    request("adjustments", &body, source.config)
}

/// An event may be a conversion by its click, and lack what an enhancement takes: then the one is sent without the other.
///
/// # Errors
/// The reason, where nothing of it can be sent; a mistake before what is none of Google's business.
pub(crate) fn whatever_can_be_sent(
    results: impl Iterator<Item = Result<Request, Rejection>>,
) -> Result<Vec<Request>, Rejection> {
    let (mut requests, mut refused) = (Vec::new(), None);
    for result in results {
        match (result, &refused) {
            (Ok(request), _) => requests.push(request),
            (Err(rejection), None | Some(Rejection::Skip(_))) => refused = Some(rejection),
            (Err(_), Some(Rejection::Invalid(_))) => {}
        }
    }
    match refused {
        Some(rejection) if requests.is_empty() => Err(rejection),
        _ => Ok(requests),
    }
}

/// The full name of a conversion action.
pub(crate) fn resource(config: &Config, action: &str) -> String {
    ["customers/", &config.customer_id, "/conversionActions/", action].concat()
}

/// The one click that a conversion is attributed to. Google takes a `gclid`, a `gbraid` or a `wbraid`, not several of them
/// (`GBRAID_WBRAID_BOTH_SET`): the last click wins, as in Google's own attribution of a click. "The imported event has a
/// `conversion_date_time` that precedes the click": that click led to something else.
pub(crate) fn click(event: &Event) -> Option<&ClickId> {
    event.last_click(&["gclid", "gbraid", "wbraid"], moment::WINDOW_MS)
}

/// The event's order id.
///
/// # Errors
/// When it holds an e-mail address: `ORDER_ID_CONTAINS_PII`.
pub(crate) fn order_id(event: &Event) -> Result<Option<&str>, Rejection> {
    match event.order_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) if id.contains('@') => Err(Rejection::invalid("an order id with personal data, which Google refuses")),
        id => Ok(id),
    }
}

fn request<T: Serialize>(endpoint: &str, body: &T, config: &Config) -> Result<Request, Rejection> {
    let request = Request::json(endpoint, body)?;
    Ok(match &config.login_customer_id {
        Some(id) => request.with_header("login-customer-id", id),
        None => request,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_rather_than_a_skip_and_neither_when_something_is_sent() {
        let skip = || Err(Rejection::skip("s"));
        let invalid = || Err(Rejection::invalid("i"));
        let request = Request::new("conversions");
        assert_eq!(whatever_can_be_sent([skip(), invalid(), skip()].into_iter()), Err(Rejection::invalid("i")));
        assert_eq!(whatever_can_be_sent([skip(), skip()].into_iter()), Err(Rejection::skip("s")));
        assert_eq!(whatever_can_be_sent([invalid(), Ok(request.clone())].into_iter()), Ok(vec![request]));
    }
}
