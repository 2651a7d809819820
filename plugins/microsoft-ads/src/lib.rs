//! Microsoft Advertising: one event to one entry of `data`, or several, in a POST to `/{version}/{tag}/events`.
//!
//! Owns the mapping of names, user data and custom data to what a UET tag takes, and what Microsoft's answers mean. Hashes
//! nothing: the gateway has done that, by the normalisers in `plugin.toml`. Source: "UET Conversion API Integration (CAPI)
//! Guide" on learn.microsoft.com/advertising/guides/uet-conversion-api-integration, called "the guide" everywhere here.

mod answer;
mod config;
mod custom_data;
mod event;
mod names;
mod properties;
mod user_data;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

use crate::config::Config;

/// The destination.
pub struct MicrosoftAds;
tidegate_plugin_sdk::export!(MicrosoftAds);

impl Plugin for MicrosoftAds {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: Config = json::config(&ctx)?;
        let properties = properties::parse(&event.properties);
        let source = event::Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        names::of(&event, &config)?.into_iter().map(|name| event::request(name, source)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
