//! Pinterest API for Conversions: one event to one entry of `data` in a POST to `/ad_accounts/{ad_account_id}/events`.
//!
//! Owns the mapping of names, match keys and custom data, and what Pinterest's answers mean. Hashes nothing: the
//! gateway has done that, by the normalisers in `plugin.toml`. Sources: the OpenAPI description in
//! github.com/pinterest/api-description (`events/create`, `ConversionEvents`), "Conversion overview" and "Use the
//! limited data processing flag" on developers.pinterest.com.

mod answer;
mod config;
mod contents;
mod custom_data;
mod event;
mod names;
mod properties;
mod user_data;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct Pinterest;
tidegate_plugin_sdk::export!(Pinterest);

impl Plugin for Pinterest {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let properties = properties::parse(&event.properties);
        let source = event::Source { event: &event, properties: &properties, config: &config, now_ms: ctx.now_ms };
        names::platform(&event, &config)?
            .into_iter()
            .map(|name| event::request(event::conversion(name, source)?, ctx.test_mode))
            .collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
