//! Amplitude: one event to one entry of `events` in a POST to `/2/httpapi`.
//!
//! Owns the mapping of names, identity, properties and revenue, and what Amplitude's answers mean. Sources: "HTTP V2
//! API", "Batch and retry HTTP V2 API requests", "Identify API", "Group Identify API" and "Track unique users" on
//! amplitude.com/docs; Amplitude's SDKs for TypeScript and Python for the names of their own events and properties.

mod answer;
mod config;
mod entry;
mod event_properties;
mod identity;
mod names;
mod people;
mod properties;
mod revenue;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

use crate::config::TestEvents;
use crate::names::Meaning;

/// The destination.
pub struct Amplitude;
tidegate_plugin_sdk::export!(Amplitude);

impl Plugin for Amplitude {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let meaning = names::meaning(&event, &config)?;
        if ctx.test_mode && config.test_events == TestEvents::Refuse {
            return Err(Rejection::invalid(
                "a test event would count as a real one: use a project for tests, and say `test_events = \"send\"`",
            ));
        }
        let properties = properties::parse(&event.properties);
        let source = entry::Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        let entries = match &meaning {
            Meaning::Events(names) => entry::of_names(names, source)?,
            Meaning::Identify => people::identify(source)?,
            Meaning::Group => people::group(source)?,
        };
        entries.iter().map(|entry| entry::request(entry, &config)).collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
