//! TikTok Events API 2.0 for websites: one event to one entry of `data` in a POST to `/event/track/`.
//!
//! Owns the mapping of names, identifiers and products, and what TikTok's codes mean. Hashes nothing: the gateway has
//! done that, by the normalisers in `plugin.toml`. Sources: "Events API 2.0, Payload" on business-api.tiktok.com
//! (id 1771101303285761), TikTok's own server-side tag (github.com/tiktok/gtm-template-eapi), and "About supported
//! standard events" on ads.tiktok.com/help.

mod answer;
mod config;
mod content;
mod event;
mod names;
mod properties;
mod user;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct TikTok;
tidegate_plugin_sdk::export!(TikTok);

impl Plugin for TikTok {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let names = names::platform(&event, &config)?;
        if ctx.test_mode && config.test_event_code.is_none() {
            return Err(Rejection::invalid(
                "a test event would count as a real conversion: set `test_event_code` (Events Manager, Test events)",
            ));
        }
        let properties = properties::parse(&event.properties);
        let source = event::Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        names.into_iter().map(|name| event::request(name, source)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
