//! PostHog: one event to one entry of `batch` in a POST to `/batch/`.
//!
//! Owns the mapping of names, identity, properties, persons and groups, and what PostHog's answers mean. Sources:
//! "Capture and batch API endpoints", "Identifying users", "Anonymous vs identified events", "Ecommerce events
//! specification", "Historical migrations", "Ingestion warnings" on posthog.com/docs, and the capture service itself,
//! which is public: github.com/PostHog/posthog, `rust/capture`.

mod answer;
mod config;
mod entry;
mod identity;
mod names;
mod person;
mod properties;

use tidegate_plugin_sdk::{Context, Event, Plugin, RawPairs, Rejection, Request, Response, Verdict, json};

use crate::config::TestMode;
use crate::names::Call;

/// The destination.
pub struct Posthog;
tidegate_plugin_sdk::export!(Posthog);

impl Plugin for Posthog {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let call = names::call(&event, &config)?;
        if ctx.test_mode && config.test_mode == TestMode::Refuse {
            return Err(Rejection::invalid(
                "a test event would count as a real one, for PostHog has no test facility: set `test_mode` to `mark` \
                 and filter out the property `test` in Project Settings, Filter out internal and test users",
            ));
        }
        let own = RawPairs::parse(&event.properties).without_nulls();
        let source = entry::Source { event: &event, own: &own, config: &config, ctx: &ctx };
        match call {
            Call::Events(names) => entry::events(names, source),
            Call::Identify => Ok(vec![person::identify(source)?]),
            Call::Group => Ok(vec![person::group(source)?]),
            Call::Alias => Ok(vec![person::alias(source)?]),
        }
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
