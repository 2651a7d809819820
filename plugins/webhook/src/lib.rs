//! Posts events to a webhook of one's own.

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, classify};

struct Webhook;
tidegate_plugin_sdk::export!(Webhook);

impl Plugin for Webhook {
    fn transform(event: Event, _ctx: Context) -> Result<Vec<Request>, Rejection> {
        Ok(vec![Request::json("events", &event.name)?])
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        classify::by_status(&response, count, &ctx)
    }
}
