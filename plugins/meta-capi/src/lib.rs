//! Meta Conversions API: one event to one entry of `data`, or several, in a POST to `/{pixel_id}/events`.
//!
//! Owns the mapping of names, match keys and custom data, and what Meta's answers mean. Hashes nothing: the gateway has
//! done that, by the normalisers in `plugin.toml`. Sources: "Conversions API" on developers.facebook.com, its pages
//! "Server Event", "Customer Information" and "Custom Data Parameters", "ClickID and the fbp and fbc Parameters", "Best
//! Practices" and "Handling Duplicate Events".

mod answer;
mod config;
mod custom_data;
mod event;
mod fbc;
mod names;
mod properties;
mod user_data;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct MetaCapi;
tidegate_plugin_sdk::export!(MetaCapi);

impl Plugin for MetaCapi {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let properties = properties::parse(&event.properties);
        let called = names::platform(&event, &config)?;
        let test_event_code = config.test_event_code.as_deref();
        if ctx.test_mode && test_event_code.is_none() {
            return Err(Rejection::invalid(
                "a test event would count as a real conversion: set `test_event_code` (Events Manager, Test events)",
            ));
        }
        let source = event::Source { event: &event, properties: &properties, config: &config, now_ms: ctx.now_ms };
        let report = |name| {
            let body = event::Body { data: [event::server_event(name, source)?], test_event_code };
            event::request(&body)
        };
        let mut requests = vec![report(called.first)?];
        for name in called.more() {
            requests.push(report(name)?);
        }
        Ok(requests)
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
