//! Google Data Manager API: one event to one entry of `events` in a POST to `/v1/events:ingest`, for all of its
//! destinations at once.
//!
//! Owns the choice of the click, what counts as one event, and what Google's answers mean. Hashes nothing: the gateway has
//! done that, by the normalisers in `plugin.toml`. Sources: `google/ads/datamanager/v1/*.proto` in googleapis/googleapis,
//! and the guides "Send events", "Configure destinations", "Formatting guidelines" and "Understand API errors" on
//! developers.google.com/data-manager/api.

mod answer;
mod cart;
mod config;
mod destinations;
mod event;
mod identifiers;
mod properties;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct GoogleDataManager;
tidegate_plugin_sdk::export!(GoogleDataManager);

impl Plugin for GoogleDataManager {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let properties = properties::parse(&event.properties);
        let source = event::Source { event: &event, properties: &properties, config: &config, now_ms: ctx.now_ms };
        let body = event::Body {
            destinations: destinations::of(&event, &config)?,
            events: [event::entry(source)?],
            encoding: "HEX",
            validate_only: ctx.test_mode,
        };
        Ok(vec![Request::json("events", &body)?])
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
