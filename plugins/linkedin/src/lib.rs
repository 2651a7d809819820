//! LinkedIn Conversions API: one event to one entry of `elements` for each conversion rule that the configuration
//! names, in a POST to `/rest/conversionEvents`.
//!
//! Owns the choice of rules, the identifiers, and what LinkedIn's answers mean. Hashes nothing: the gateway has done
//! that, by the normalisers in `plugin.toml`. Sources: "Conversions API", "Conversions API Schema" and "Custom Matching
//! Identifiers" on learn.microsoft.com/linkedin/marketing, and the answers that rudderlabs/rudder-transformer has
//! recorded.

mod answer;
mod config;
mod event;
mod indices;
mod names;
mod user;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct LinkedIn;
tidegate_plugin_sdk::export!(LinkedIn);

impl Plugin for LinkedIn {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        names::conversions(&event, &config, ctx.test_mode)?
            .into_iter()
            .map(|conversion| event::request(&event::element(conversion, &event, &config, ctx.now_ms)?, &config))
            .collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
