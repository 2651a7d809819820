//! Posts events to a webhook of one's own, in the shape that Standard Webhooks recommends
//! (<https://www.standardwebhooks.com>). The gateway signs the request; this plugin sees no secret.

mod body;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, classify, json};

/// The plugin.
pub struct Webhook;
tidegate_plugin_sdk::export!(Webhook);

#[derive(Deserialize)]
struct Config {
    /// The events to send; all of them where it is absent.
    events: Option<Vec<String>>,
}

impl Plugin for Webhook {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: Config = json::config(&ctx)?;
        if config.events.is_some_and(|events| !events.contains(&event.name)) {
            return Err(Rejection::skip(format!("`{}` is not in `events`", event.name)));
        }
        Ok(vec![Request::json("events", &body::of(&event, &ctx)?)?])
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        match response.status {
            // Standard Webhooks: the receiver wants no more of it. Nothing is lost: the queue waits for the operator.
            410 => Verdict::Credentials(format!("the endpoint is gone: disabled ({})", classify::reason(&response))),
            _ => classify::by_status(&response, count, &ctx),
        }
    }
}
