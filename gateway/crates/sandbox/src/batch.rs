//! Several events in one instance, for plugins whose manifest says `instance = "per-batch"`.
//!
//! Owns who shares with whom: the events of one call of [`Plugin::transform_each`], which are those of one request, and
//! nobody else. No instance outlives that call.

use tidegate_plugin_sdk::manifest::Instance as Shared;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::contract;
use crate::error::CallError;
use crate::limits::State;
use crate::plugin::{Plugin, Transformed};

/// The most events that one instance is given: what one leaves behind, its memory among it, goes no further.
pub const EVENTS_PER_INSTANCE_MAX: usize = 100;

/// An instance with what it has used so far.
pub(crate) struct Live {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
}

impl Plugin {
    /// Turns the events of one request into requests, in their order; as many answers as events. Each event has an instance
    /// of its own, unless the manifest says that they share one.
    ///
    /// An event that fails in an instance that others were in before it is tried again in a fresh one: what it comes to is
    /// never their fault. An instance in which something failed is used no more.
    pub fn transform_each(
        &self,
        events: &[(contract::Event, contract::Context)],
    ) -> Vec<Result<Transformed, CallError>> {
        match self.manifest().limits.instance {
            Shared::PerEvent => events.iter().map(|(event, ctx)| self.transform(event, ctx)).collect(),
            Shared::PerBatch => {
                let together = events.chunks(EVENTS_PER_INSTANCE_MAX);
                together.flat_map(|events| self.transform_together(events)).collect()
            }
        }
    }

    fn transform_together(
        &self,
        events: &[(contract::Event, contract::Context)],
    ) -> Vec<Result<Transformed, CallError>> {
        let mut live: Option<Live> = None;
        let mut each = Vec::with_capacity(events.len());
        for (event, ctx) in events {
            let was_used = live.is_some();
            let mut answer = self.transform_in(&mut live, event, ctx);
            if was_used && answer.is_err() {
                answer = self.transform_in(&mut live, event, ctx);
            }
            each.push(answer);
        }
        each
    }
}
