//! Reports purchases and leads to the conversions API of Example Ads.

use serde::Serialize;
use tidegate_plugin_sdk::{
    Context, Event, Plugin, Rejection, Request, Response, Verdict, classify, items, money, names, time,
};

pub struct MyPlugin;
tidegate_plugin_sdk::export!(MyPlugin);

/// A conversion as the platform wants it; what is not known is left out.
#[derive(Serialize)]
struct Conversion<'a> {
    id: &'a str,
    r#type: &'a str,
    /// Unix seconds.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<money::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    products: Vec<&'a str>,
}

#[derive(Serialize)]
struct Body<'a> {
    conversions: [Conversion<'a>; 1],
}

impl Plugin for MyPlugin {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let (r#type, money) = match event.name.as_str() {
            names::PURCHASE => ("purchase", Some(money::required(&event)?)),
            names::GENERATE_LEAD => ("lead", money::of(&event)),
            _ => return Err(Rejection::skip("not a conversion")),
        };
        let conversion = Conversion {
            id: &event.id,
            r#type,
            time: time::seconds(event.at_ms),
            email_sha256: event.identifier("email"),
            value: money.map(|money| money.amount()),
            currency: money.map(|money| money.currency),
            order_id: event.order_id.as_deref(),
            products: items::ids(&event.items),
        };
        let request = Request::json("conversions", &Body { conversions: [conversion] })?;
        // The platform checks and shows a test, and counts it for nothing.
        Ok(vec![if ctx.test_mode { request.with_query("test", "1") } else { request }])
    }

    /// What the platform's answer means: by its status, as with most platforms. Look closer where yours says more.
    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        classify::by_status(&response, count, &ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_view_is_skipped() {
        let event = Event { name: "page_view".into(), ..Event::example() };
        assert_eq!(MyPlugin::transform(event, Context::example()), Err(Rejection::skip("not a conversion")));
    }

    #[test]
    fn an_answer_of_a_server_in_trouble_is_tried_again() {
        let response = Response { endpoint: "conversions".into(), status: 503, headers: vec![], body: vec![] };
        assert_eq!(MyPlugin::classify(response, 1, Context::example()), Verdict::Retry(None));
    }
}
