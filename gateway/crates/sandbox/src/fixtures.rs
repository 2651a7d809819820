//! A plugin's fixtures, run in the sandbox: a component must give here what its author saw it give.
//!
//! Owns the way from the kit's types, which are the SDK's, to the sandbox's and back. What a fixture is and how it is
//! compared is the kit's (`tidegate_plugin_sdk::testing`).

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_plugin_sdk::testing::{Answer, Calls, Ran, Suite};
use tidegate_plugin_sdk::{Context, Event, Rejection, Response, Verdict};

use crate::error::CallError;
use crate::{Plugin, Transformed, Usage};

/// How often a call is made that runs out of time or finds no instance. A plugin's time is measured by the wall, and a
/// busy machine may take it away for a while; that happens to no call so many times in a row.
const TRIES: usize = 10;
/// How long to wait for an instance before the next try.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs the fixtures that a plugin's component carries, and answers those that fail: none where all pass, or there are
/// none.
///
/// Takes about two calls' time a fixture, on this thread.
pub fn embedded_failures(plugin: &Plugin) -> Vec<Ran> {
    failures(plugin, &embedded(plugin))
}

/// Runs these fixtures, and answers those that fail.
pub fn failures(plugin: &Plugin, suite: &Suite) -> Vec<Ran> {
    let mut all = suite.run(&Calls {
        transform: &|event, ctx| transform(plugin, &event, &ctx).map_err(|e| e.to_string()),
        classify: &|response, count, ctx| classify(plugin, &response, count, &ctx).map_err(|e| e.to_string()),
    });
    all.retain(|ran| !ran.is_ok());
    all
}

/// The fixtures that a plugin's component carries.
pub fn embedded(plugin: &Plugin) -> Suite {
    Suite::embedded(plugin.manifest(), &plugin.inspection().fixtures)
}

/// Transforms an event of the kit's.
///
/// # Errors
/// As [`Plugin::transform`], but for calls that another try answers.
pub fn transform(plugin: &Plugin, event: &Event, ctx: &Context) -> Result<Answer, CallError> {
    transform_metered(plugin, event, ctx, &|_| {})
}

/// The same, and tells what the last try used.
///
/// # Errors
/// As [`transform`].
pub fn transform_metered(
    plugin: &Plugin,
    event: &Event,
    ctx: &Context,
    tell: &dyn Fn(Usage),
) -> Result<Answer, CallError> {
    let (event, ctx) = (convert(event)?, convert(ctx)?);
    match metered(tell, || plugin.transform_metered(&event, &ctx))? {
        Transformed::Requests(requests) => Ok(Ok(convert(&requests)?)),
        Transformed::Skip(reason) => Ok(Err(Rejection::Skip(reason))),
        Transformed::Invalid(reason) => Ok(Err(Rejection::Invalid(reason))),
    }
}

/// Classifies an answer of the kit's.
///
/// # Errors
/// As [`Plugin::classify`], but for calls that another try answers.
pub fn classify(plugin: &Plugin, response: &Response, count: u32, ctx: &Context) -> Result<Verdict, CallError> {
    classify_metered(plugin, (response, count), ctx, &|_| {})
}

/// The same, and tells what the last try used.
///
/// # Errors
/// As [`classify`].
pub fn classify_metered(
    plugin: &Plugin,
    (response, count): (&Response, u32),
    ctx: &Context,
    tell: &dyn Fn(Usage),
) -> Result<Verdict, CallError> {
    let (response, ctx) = (convert(response)?, convert(ctx)?);
    convert(&metered(tell, || plugin.classify_metered(&response, count, &ctx))?)
}

fn metered<T>(tell: &dyn Fn(Usage), call: impl Fn() -> (Result<T, CallError>, Usage)) -> Result<T, CallError> {
    let used = Cell::new(None);
    let answer = patiently(|| {
        let (answer, usage) = call();
        used.set(Some(usage));
        answer
    });
    used.get().into_iter().for_each(tell);
    answer
}

/// The call's answer, after some tries where the machine has no time for it.
pub fn patiently<T>(call: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
    for _ in 1..TRIES {
        match call() {
            Err(CallError::Timeout { .. }) => {}
            Err(CallError::Busy) => thread::sleep(PAUSE),
            answer => return answer,
        }
    }
    call()
}

/// The sandbox's types and the SDK's are of one contract, and have one form as JSON.
pub fn convert<T: DeserializeOwned>(value: &impl Serialize) -> Result<T, CallError> {
    let value = serde_json::to_value(value).and_then(serde_json::from_value);
    value.map_err(|error| CallError::Malformed(error.to_string()))
}
