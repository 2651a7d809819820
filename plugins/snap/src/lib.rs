//! Snap Conversions API v3: one event to one entry of `data` in a POST to `/{pixel_id}/events`.
//!
//! Owns the mapping of names, match keys and custom data, and what Snap's answers mean. Hashes nothing: the gateway has
//! done that, by the normalisers in `plugin.toml`. Sources: "Conversions API" on developers.snap.com, its pages
//! "Parameters", "Using the API", "Verify Set Up" and "Best Practices"; the OpenAPI file of
//! github.com/Snapchat/business-sdk-v3-java; Snap's own server-side tag,
//! github.com/Snapchat/capi-google-tag-manager-serverside-tag.

mod answer;
mod config;
mod custom_data;
mod event;
mod names;
mod properties;
mod user_data;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct Snap;
tidegate_plugin_sdk::export!(Snap);

impl Plugin for Snap {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let names = names::platform(&event, &config)?;
        let properties = properties::parse(&event.properties);
        let source = event::Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        names.into_iter().map(|name| event::request(name, source)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
