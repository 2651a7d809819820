//! Google Analytics 4: one event to one entry of `events`, or several, in a POST to the Measurement Protocol.
//!
//! Owns the mapping of identity, parameters and items, GA4's limits, and that no personal data is among the parameters.
//! Sources: "Measurement Protocol reference", "Send events", "Validate events" and "Send user-provided data" on
//! developers.google.com/analytics, "Event collection limits" and "Event naming rules" on support.google.com/analytics.

mod answer;
mod config;
mod identity;
mod items;
mod names;
mod params;
mod payload;
mod user_data;

use tidegate_plugin_sdk::{Context, Event, Pairs, Plugin, Rejection, Request, Response, Scalar, Verdict};

/// The destination.
pub struct Ga4;
tidegate_plugin_sdk::export!(Ga4);

impl Plugin for Ga4 {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config = config::parse(&ctx.config)?;
        let names = names::platform(&event, &config)?;
        let mode = payload::Mode::of(&ctx, &config);
        let properties: Pairs<'_, Scalar<'_>> = Pairs::parse(&event.properties);
        let source =
            payload::Source { event: &event, properties: &properties, config: &config, mode, now_ms: ctx.now_ms };
        names.into_iter().map(|name| payload::request(&payload::build(name, source)?, &config, mode)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
