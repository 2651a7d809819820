//! The measures of plugins: time, memory and fuel an event, in an instance of its own and in one that many share.
//!
//! Owns the measuring. Time is measured without counting fuel, as the gateway runs plugins; fuel in a sandbox that
//! counts it.

use std::time::Duration;

use serde::Serialize;
use tidegate_plugin_sdk::testing::Suite;
use tidegate_sandbox::{CallError, Plugin, contract, fixtures};

/// How many runs a time is the median of.
const RUNS: usize = 101;
/// For how long one event is run at most; a slow plugin is run less often.
const PATIENCE: Duration = Duration::from_millis(400);
/// How many events one instance is given in a batch.
const BATCH: u32 = 50;

/// The same plugin, loaded where fuel is not counted and where it is.
pub struct Loaded {
    pub timed: Plugin,
    pub metered: Plugin,
}

/// What was measured of a plugin.
#[derive(Debug, Serialize)]
pub struct Measures {
    pub plugin: String,
    pub version: String,
    /// Of each fixture's event, by the file's name.
    pub events: Vec<Measure>,
}

/// What one event costs.
#[derive(Debug, Clone, Serialize)]
pub struct Measure {
    pub fixture: String,
    /// In an instance of its own, as the gateway runs it: the median.
    pub fresh_ns: u64,
    /// In an instance that transforms many, without what making it takes; nothing where the instance does not last for
    /// a few.
    pub batch_ns: Option<u64>,
    pub memory_bytes: u64,
    pub fuel: u64,
}

impl Measures {
    /// Measures a plugin with the events of its fixtures, as far as they are `wanted`.
    ///
    /// # Errors
    /// When it fails to answer one.
    pub fn of(plugin: &Loaded, suite: &Suite, wanted: impl Fn(&str) -> bool) -> Result<Measures, (String, CallError)> {
        let manifest = plugin.timed.manifest();
        let mut events = Vec::new();
        for (name, event, ctx) in suite.events().into_iter().filter(|(name, ..)| wanted(name)) {
            let measured = || measure(plugin, name, &fixtures::convert(&event)?, &fixtures::convert(&ctx)?);
            events.push(measured().map_err(|error| (name.to_owned(), error))?);
        }
        Ok(Measures { plugin: manifest.name.clone(), version: manifest.version.to_string(), events })
    }

    /// What an event costs in the middle of all of them, each measure by itself; nothing where there is no event.
    pub fn typical(&self) -> Option<Measure> {
        let of = |value: &dyn Fn(&Measure) -> u64| median(self.events.iter().map(value).collect());
        let batch: Vec<u64> = self.events.iter().filter_map(|it| it.batch_ns).collect();
        Some(Measure {
            fixture: format!("median of {}", self.events.len()),
            fresh_ns: of(&|it| it.fresh_ns)?,
            batch_ns: median(batch),
            memory_bytes: of(&|it| it.memory_bytes)?,
            fuel: of(&|it| it.fuel)?,
        })
    }
}

fn measure(
    plugin: &Loaded,
    name: &str,
    event: &contract::Event,
    ctx: &contract::Context,
) -> Result<Measure, CallError> {
    let (answer, usage) = plugin.metered.transform_metered(event, ctx);
    answer?;
    let fuel = usage.fuel.unwrap_or_default();
    let mut fresh = Vec::with_capacity(RUNS);
    let mut total = Duration::ZERO;
    while fresh.len() < RUNS && (total < PATIENCE || fresh.len() < 3) {
        let (answer, usage) = plugin.timed.transform_metered(event, ctx);
        answer?;
        total += usage.took;
        fresh.push(nanos(usage.took));
    }
    Ok(Measure {
        fixture: name.to_owned(),
        fresh_ns: median(fresh).unwrap_or_default(),
        batch_ns: batch(&plugin.timed, event, ctx),
        memory_bytes: usage.memory_bytes,
        fuel,
    })
}

/// The time of one of many events in one instance. An instance of the SDK's frees no memory, so a batch is made smaller
/// until it fits.
fn batch(plugin: &Plugin, event: &contract::Event, ctx: &contract::Context) -> Option<u64> {
    let sizes = std::iter::successors(Some(BATCH), |size| Some(size / 2)).take_while(|size| *size > 1);
    for size in sizes {
        let took: Vec<u64> = (0..9)
            .filter_map(|_| plugin.transform_reused(event, ctx, size).ok())
            .map(|took| nanos(took) / u64::from(size))
            .collect();
        if took.len() > 4 {
            return median(took);
        }
    }
    None
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typical_event_is_the_middle_of_all_not_the_mean() {
        let one =
            |fresh_ns, batch_ns| Measure { fixture: "a.json".into(), fresh_ns, batch_ns, memory_bytes: 1, fuel: 2 };
        let events = vec![one(1, None), one(1_000_000, Some(7)), one(3, Some(5))];
        let measures = Measures { plugin: "a".into(), version: "1.0.0".into(), events };
        let typical = measures.typical().unwrap();
        assert_eq!((typical.fresh_ns, typical.batch_ns, typical.fuel), (3, Some(7), 2));
        assert!(Measures { events: Vec::new(), ..measures }.typical().is_none());
    }
}
