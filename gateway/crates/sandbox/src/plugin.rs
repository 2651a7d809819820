//! A loaded plugin: runs one event, or one answer, in an instance that lives for that call only.
//!
//! Owns the calls and the checks of what comes back. Keeps nothing between two calls but how long they took.

use std::str::Utf8Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_plugin_sdk::manifest::Manifest;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::batch::Live;
use crate::contract::{self, ResponseV0_1, World, interface};
use crate::engine::{Metering, plain};
use crate::error::{CallError, LoadError};
use crate::inspect::Inspection;
use crate::limits::{self, Hit, State};
use crate::pool::{Runtime, Weight};
use crate::{Digest, Projection, panic};

/// The most requests that one event may become.
pub const REQUESTS_MAX: usize = 100;
/// The longest reason that a plugin gives, in bytes; what is longer is cut.
pub const REASON_BYTES_MAX: usize = 1_024;
/// The most path parameters, query parameters or headers of one request.
const PAIRS_MAX: usize = 100;
/// A plugin whose calls take longer than this, on average, holds up a thread that others wait for.
const SLOW: Duration = Duration::from_millis(1);

type TransformFunc<'a> =
    TypedFunc<(&'a contract::Event, &'a contract::Context), (Result<Vec<contract::Request>, contract::Rejection>,)>;
type ClassifyFunc<'a> = TypedFunc<(&'a contract::Response, u32, &'a contract::Context), (contract::Verdict,)>;
type ClassifyFuncV0_1<'a> = TypedFunc<(ResponseV0_1<'a>, u32, &'a contract::Context), (contract::Verdict,)>;

/// A plugin that is ready to run. Cloning is cheap, and all clones are the same plugin.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    inspection: Inspection,
    world: World,
    projection: Projection,
    instance: InstancePre<State>,
    transform: ComponentExportIndex,
    classify: ComponentExportIndex,
    /// Moving average of a call's duration, in nanoseconds.
    average_ns: AtomicU64,
    // Last, so that the engine's clock runs for as long as anything above can.
    runtime: Arc<Runtime>,
}

/// What one call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What it executed, instantiation included; nothing where fuel is not counted ([`Metering::Off`]). Of a call that
    /// was stopped it is less than the truth.
    pub fuel: Option<u64>,
    /// Memory and tables, in bytes: what the manifest's `memory_max` bounds.
    pub memory_bytes: u64,
    /// From before the instance was made to after the answer was read.
    pub took: Duration,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Transformed {
    /// The requests that report it; none when there is nothing to say.
    Requests(Vec<contract::Request>),
    /// It is none of this destination's business, and why.
    Skip(String),
    /// The platform would refuse or ignore it, and why.
    Invalid(String),
}

impl Plugin {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        inspection: Inspection,
        instance: InstancePre<State>,
    ) -> Result<Plugin, LoadError> {
        let component = instance.component();
        let lacks = |what: &str| LoadError::Contract(format!("it does not export {what}"));
        let name = &inspection.manifest.world;
        let world = World::named(name).ok_or_else(|| lacks("a contract that is known here"))?;
        let interface = component.get_export_index(None, interface(name)).ok_or_else(|| lacks("the interface"))?;
        let function = |name| component.get_export_index(Some(&interface), name).ok_or_else(|| lacks(name));
        let (transform, classify) = (function("transform")?, function("classify")?);
        let projection = Projection::new(&inspection.manifest);
        let average_ns = AtomicU64::new(0);
        let inner = Inner { inspection, world, projection, instance, transform, classify, average_ns, runtime };
        Ok(Plugin(Arc::new(inner)))
    }

    /// What the plugin declares about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.0.inspection.manifest
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> &Digest {
        &self.0.inspection.digest
    }

    /// All that is known of the component from outside.
    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// What the plugin sees of an event.
    pub fn projection(&self) -> &Projection {
        &self.0.projection
    }

    /// Whether recent calls took so long, about a millisecond, that they should not be made on a thread that serves
    /// others. A heavy guest's always do.
    pub fn is_slow(&self) -> bool {
        self.0.runtime.weight == Weight::Heavy || self.0.average_ns.load(Ordering::Relaxed) > SLOW.as_nanos() as u64
    }

    /// Turns one event, as [`Projection::apply`] made it, into the requests that report it.
    ///
    /// # Errors
    /// When the plugin fails, or is stopped at one of its limits.
    pub fn transform(&self, event: &contract::Event, ctx: &contract::Context) -> Result<Transformed, CallError> {
        self.transform_metered(event, ctx).0
    }

    /// The same, and what the call used.
    pub fn transform_metered(
        &self,
        event: &contract::Event,
        ctx: &contract::Context,
    ) -> (Result<Transformed, CallError>, Usage) {
        let (answer, usage) = self.run(|store, instance| {
            let function: TransformFunc<'_> = typed(store, instance, &self.0.transform)?;
            function.call(store, (event, ctx))
        });
        (answer.and_then(|(answer,)| transformed(answer)), usage)
    }

    /// Turns one event into requests in an instance that may have seen others, or in a fresh one where there is none. One
    /// in which it fails is gone.
    pub(crate) fn transform_in(
        &self,
        live: &mut Option<Live>,
        event: &contract::Event,
        ctx: &contract::Context,
    ) -> Result<Transformed, CallError> {
        let runtime = &self.0.runtime;
        let limits = &self.manifest().limits;
        let _running = runtime.ticker.run();
        let began = now();
        let (mut store, used) = match live.take() {
            Some(Live { mut store, instance }) => {
                limits::renew(&mut store, limits);
                (store, Some(instance))
            }
            None => (limits::store(runtime, limits), None),
        };
        let started = used.map_or_else(|| self.0.instance.instantiate(&mut store), Ok);
        let answer = started.and_then(|instance| {
            let function: TransformFunc<'_> = typed(&mut store, &instance, &self.0.transform)?;
            Ok((instance, function.call(&mut store, (event, ctx))?))
        });
        self.record(began.elapsed());
        let (instance, (answer,)) = answer.map_err(|error| self.explain(&error, &mut store))?;
        let transformed = transformed(answer)?;
        *live = Some(Live { store, instance });
        Ok(transformed)
    }

    /// Says what the answer to a request that carried `count` events means.
    ///
    /// # Errors
    /// When the plugin fails, is stopped at one of its limits, or judges another number of events.
    pub fn classify(
        &self,
        response: &contract::Response,
        count: u32,
        ctx: &contract::Context,
    ) -> Result<contract::Verdict, CallError> {
        self.classify_metered(response, count, ctx).0
    }

    /// The same, and what the call used.
    pub fn classify_metered(
        &self,
        response: &contract::Response,
        count: u32,
        ctx: &contract::Context,
    ) -> (Result<contract::Verdict, CallError>, Usage) {
        let (verdict, usage) = self.run(|store, instance| match self.0.world {
            World::V0_2 => {
                let function: ClassifyFunc<'_> = typed(store, instance, &self.0.classify)?;
                function.call(store, (response, count, ctx))
            }
            World::V0_1 => {
                let function: ClassifyFuncV0_1<'_> = typed(store, instance, &self.0.classify)?;
                function.call(store, (response.into(), count, ctx))
            }
        });
        (verdict.and_then(|(verdict,)| judged(verdict, count)), usage)
    }

    /// Transforms one event `times` over in one instance, which no event ever meets, and says how long that took once the
    /// instance was there: what the benchmark compares a fresh instance with.
    ///
    /// # Errors
    /// As [`Plugin::transform`]; also when the instance has used up its memory, for it frees none.
    #[doc(hidden)]
    pub fn transform_reused(
        &self,
        event: &contract::Event,
        ctx: &contract::Context,
        times: u32,
    ) -> Result<Duration, CallError> {
        self.run(|store, instance| {
            let function: TransformFunc<'_> = typed(store, instance, &self.0.transform)?;
            let began = now();
            for _ in 0..times {
                let _answer = function.call(&mut *store, (event, ctx))?;
            }
            Ok(began.elapsed())
        })
        .0
    }

    /// Starts one instance and compares the types of its functions with the contract's.
    pub(crate) fn start_once(&self) -> Result<(), LoadError> {
        let (types, _usage) = self.run(|store, instance| {
            let transform: wasmtime::Result<TransformFunc<'_>> = typed(store, instance, &self.0.transform);
            let classify = match self.0.world {
                World::V0_2 => typed(store, instance, &self.0.classify).map(|_: ClassifyFunc<'_>| ()),
                World::V0_1 => typed(store, instance, &self.0.classify).map(|_: ClassifyFuncV0_1<'_>| ()),
            };
            Ok(transform.map(|_| ()).and(classify).map_err(|e| plain(&e)))
        });
        types.map_err(LoadError::Start)?.map_err(LoadError::Contract)
    }

    /// Runs `call` in a fresh instance, within the manifest's limits.
    fn run<R>(
        &self,
        call: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<R>,
    ) -> (Result<R, CallError>, Usage) {
        let runtime = &self.0.runtime;
        let _running = runtime.ticker.run();
        let began = now();
        let mut store = limits::store(runtime, &self.manifest().limits);
        let outcome = self.0.instance.instantiate(&mut store).and_then(|instance| call(&mut store, &instance));
        let took = began.elapsed();
        self.record(took);
        let fuel = match runtime.metering {
            Metering::Off => None,
            Metering::Fuel => store.get_fuel().ok().map(|left| u64::MAX - left),
        };
        let usage = Usage { fuel, memory_bytes: store.data().memory_bytes(), took };
        (outcome.map_err(|error| self.explain(&error, &mut store)), usage)
    }

    /// Adds a duration to the moving average, with the weight of one in eight. Two calls at once may lose one: it is a
    /// hint.
    fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let average = self.0.average_ns.load(Ordering::Relaxed);
        self.0.average_ns.store(average - average / 8 + took / 8, Ordering::Relaxed);
    }

    fn explain(&self, error: &wasmtime::Error, store: &mut Store<State>) -> CallError {
        let limits = &self.manifest().limits;
        match store.data().hit() {
            Hit::Memory => return CallError::Memory { limit: limits.memory_max },
            Hit::Time => return CallError::Timeout { limit_ms: limits.time_max_ms },
            Hit::None => {}
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::Busy;
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            let panic = if *trap == Trap::UnreachableCodeReached { panic::message(error, store) } else { None };
            return CallError::Trap(panic.unwrap_or_else(|| reason(*trap)));
        }
        if error.is::<Utf8Error>() {
            return CallError::Malformed("text that is not UTF-8".into());
        }
        let message = error.root_cause().to_string();
        // The type of this error is private to wasmtime; a test holds on to its words.
        if message.contains("fuel allocated for hostcalls has been exhausted") {
            return CallError::OutputTooLarge { what: "bytes", limit: limits.output_max.0 };
        }
        CallError::Malformed(message)
    }
}

fn typed<Params, Results>(
    store: &mut Store<State>,
    instance: &Instance,
    index: &ComponentExportIndex,
) -> wasmtime::Result<TypedFunc<Params, Results>>
where
    Params: ComponentNamedList + Lower,
    Results: ComponentNamedList + Lift,
{
    instance.get_typed_func(store, index)
}

/// What the plugin answered, within bounds.
fn transformed(answer: Result<Vec<contract::Request>, contract::Rejection>) -> Result<Transformed, CallError> {
    Ok(match answer {
        Ok(requests) => Transformed::Requests(bounded(requests)?),
        Err(contract::Rejection::Skip(reason)) => Transformed::Skip(cut(reason)),
        Err(contract::Rejection::Invalid(reason)) => Transformed::Invalid(cut(reason)),
    })
}

/// The requests, if there are not too many, nor too many of anything in one of them. Bytes are bounded while they are
/// copied out of the plugin.
fn bounded(requests: Vec<contract::Request>) -> Result<Vec<contract::Request>, CallError> {
    let too_many = |what, limit: usize| Err(CallError::OutputTooLarge { what, limit: limit as u64 });
    if requests.len() > REQUESTS_MAX {
        return too_many("requests", REQUESTS_MAX);
    }
    for request in &requests {
        let parts =
            [("path parameters", &request.path), ("query parameters", &request.query), ("headers", &request.headers)];
        if let Some((what, _)) = parts.into_iter().find(|(_, pairs)| pairs.len() > PAIRS_MAX) {
            return too_many(what, PAIRS_MAX);
        }
    }
    Ok(requests)
}

/// The verdict, if it judges as many events as there were.
fn judged(verdict: contract::Verdict, count: u32) -> Result<contract::Verdict, CallError> {
    use contract::{Outcome, Verdict};
    Ok(match verdict {
        Verdict::Reject(reason) => Verdict::Reject(cut(reason)),
        Verdict::Credentials(reason) => Verdict::Credentials(cut(reason)),
        Verdict::Each(outcomes) if outcomes.len() != count as usize => {
            return Err(CallError::Malformed(format!("{} outcomes for {count} events", outcomes.len())));
        }
        Verdict::Each(outcomes) => {
            let cut_each = |outcome| match outcome {
                Outcome::Reject(reason) => Outcome::Reject(cut(reason)),
                other => other,
            };
            Verdict::Each(outcomes.into_iter().map(cut_each).collect())
        }
        other => other,
    })
}

/// A reason ends in traces and lists: it is cut to what a person reads.
fn cut(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

fn reason(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "it stopped itself (a panic, or out of memory)".into(),
        Trap::StackOverflow => "it recursed too deeply".into(),
        other => other.to_string().trim_start_matches("wasm trap: ").to_owned(),
    }
}

/// How long a call took only decides where the next one runs; no outcome depends on it, so it needs no clock of its own.
#[expect(clippy::disallowed_methods, reason = "measures a duration; see above")]
fn now() -> Instant {
    Instant::now()
}
