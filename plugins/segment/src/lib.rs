//! Segment: one event to one call in the `batch` of a POST to the HTTP Tracking API.
//!
//! Owns the mapping of calls, names, products, traits, context and consent. Sources: "HTTP API Source" (limits, errors,
//! authentication), "Spec: Common Fields", "Spec: V2 Ecommerce Events", "Spec: Identify", "Consent in Segment
//! Connections", all on segment.com/docs (now www.twilio.com/docs/segment).

mod answer;
mod config;
mod context;
mod message;
mod names;
mod properties;
mod traits;

use tidegate_plugin_sdk::{Context, Event, Plugin, RawPairs, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct Segment;
tidegate_plugin_sdk::export!(Segment);

impl Plugin for Segment {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let own = RawPairs::parse(&event.properties).without_nulls();
        let source = message::Source { event: &event, own: &own, config: &config, test_mode: ctx.test_mode };
        message::all(names::calls(&event, &config)?, source)
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
