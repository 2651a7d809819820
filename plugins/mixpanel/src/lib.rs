//! Mixpanel: one event to one entry of a POST to `/import`, a person's or a group's traits to one of `/engage` or
//! `/groups`.
//!
//! Owns the mapping of names, identity, properties and profiles, Mixpanel's limits, and what its answers mean. Sources:
//! "Import Events", "Set Property", "Create Identity", "Create Alias" and the OpenAPI description of the Ingestion API
//! (github.com/mixpanel/docs), "Identifying Users (Simplified)", "Reserved Properties", "Default Properties", all on
//! docs.mixpanel.com.

mod answer;
mod config;
mod event;
mod identity;
mod items;
mod limits;
mod names;
mod profile;
mod request;

use tidegate_plugin_sdk::{Context, Event, Plugin, RawPairs, Rejection, Request, Response, Verdict, json};

use crate::config::TestMode;
use crate::names::Call;

/// The destination.
pub struct Mixpanel;
tidegate_plugin_sdk::export!(Mixpanel);

impl Plugin for Mixpanel {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let call = names::call(&event, &config)?;
        if ctx.test_mode && config.test_mode == TestMode::Refuse {
            return Err(Rejection::invalid(
                "a test event would count as a real one, for Mixpanel has no test facility: set `test_mode` to `mark` \
                 where the token is that of a project for development",
            ));
        }
        let own = RawPairs::parse(&event.properties).without_nulls();
        let identity = identity::of(&event)?;
        let source = event::Source { event: &event, own: &own, config: &config, identity: &identity, ctx: &ctx };
        match call {
            Call::Events(names) => names.into_iter().map(|name| event::request(name, source)).collect(),
            Call::Identify => profile::identify(source),
            Call::Group => profile::group(source),
            Call::Alias => profile::alias(source),
        }
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
