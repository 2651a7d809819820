//! Klaviyo: an event as a POST to `/api/events`, and what an identify call tells as one to `/api/profile-import`.
//!
//! Owns the mapping of metrics, profiles and products, and what Klaviyo's answers mean. Events go singly: of the bulk
//! endpoint the description says "If a unique_id is repeated for the same profile and metric, the request will fail and
//! no events will be processed", so one retry whose first attempt had arrived would take a whole batch with it.
//! Sources: Klaviyo's OpenAPI description of revisions 2026-07-15 and 2026-10-15, "Integrate an ecommerce platform
//! without a pre-built Klaviyo integration" and "Rate limits, status codes, and errors" on developers.klaviyo.com.

mod answer;
mod config;
mod event;
mod names;
mod products;
mod profile;

use tidegate_plugin_sdk::{Context, Event, EventKind, Plugin, RawPairs, Rejection, Request, Response, Verdict, json};

use crate::config::TestEvents;

/// The destination.
pub struct Klaviyo;
tidegate_plugin_sdk::export!(Klaviyo);

impl Plugin for Klaviyo {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let metrics = names::metrics(&event, &config)?;
        if ctx.test_mode && config.test_events == TestEvents::Refuse {
            return Err(Rejection::invalid(
                "a test event would count and start flows: use an account for tests, and say `test_events = \"send\"`",
            ));
        }
        let properties = RawPairs::parse(&event.properties).without_nulls().first(event::PROPERTIES_MAX);
        let source = event::Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        let identity = profile::identity(&event)?;
        if event.kind == EventKind::Identify && metrics.is_empty() {
            return Ok(vec![profile::import(identity, source)?]);
        }
        event::requests(&metrics, &identity, source)
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
