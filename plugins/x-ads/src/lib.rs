//! X Ads: one event to one entry of `conversions`, or several, in a POST to `/{version}/measurement/conversions/{pixel}`.
//!
//! Owns the mapping of names to the ids that the configuration gives, of identifiers and contents, and what X's answers
//! mean. Hashes and signs nothing: the gateway does both. Source: "Web conversions" on docs.x.com/x-ads-api/measurement,
//! with its "Troubleshooting" and API reference, called "the document" everywhere here; and beside it "Set up the Conversion
//! API with Google Tag Manager", "the guide".

mod answer;
mod config;
mod contents;
mod conversion;
mod identifiers;
mod names;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

use crate::config::Config;

/// The destination.
pub struct XAds;
tidegate_plugin_sdk::export!(XAds);

impl Plugin for XAds {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: Config = json::config(&ctx)?;
        let ids = names::of(&event, &config, &ctx)?;
        ids.into_iter().map(|id| conversion::request(id, &event, &config, ctx.now_ms)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
