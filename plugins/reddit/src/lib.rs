//! Reddit Conversions API v3: one event to one entry of `data.events` for each conversion that it is, in a POST to
//! `/pixels/{pixel_id}/conversion_events`.
//!
//! Owns the mapping of types, match keys and metadata, and what Reddit's answers mean. Hashes nothing: the gateway has
//! done that, by the normalisers in `plugin.toml`. Sources: "Post Conversion Events" of ads-api.reddit.com/docs/v3, and
//! "About event metadata", "Event deduplication" and the help on match keys of business.reddithelp.com.

mod answer;
mod config;
mod event;
mod metadata;
mod names;
mod user;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct Reddit;
tidegate_plugin_sdk::export!(Reddit);

impl Plugin for Reddit {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let kinds = names::platform(&event, &config)?;
        if ctx.test_mode && config.test_id.is_none() {
            return Err(Rejection::invalid(
                "a test event would count as a real conversion: set `test_id` (Events Manager, Event testing)",
            ));
        }
        let test_id = config.test_id.as_deref().filter(|_| ctx.test_mode);
        kinds
            .into_iter()
            .map(|kind| event::request(&event::conversion(kind, &event, &config, ctx.now_ms)?, test_id))
            .collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
