//! `tidegate destination off`, `pause` and `on`: a destination's switch, in the store, which every gateway over it obeys.

use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, clean};
use super::super::{ConfigFile, Variables, store};
use crate::admin::ops::{self, Turn};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, suggestion};
use crate::switch::{Switched, Switches};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The destination's name
    name: String,
    /// Why, for whoever finds it like that
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who says so; you, by default
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Turns a switch on: there is nothing more to say about that.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct On {
    /// The destination's name
    name: String,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn stop(arguments: &Arguments, turn: Turn, out: &Output) -> Result<(), Failure> {
    let Arguments { name, reason, by, config } = arguments;
    let by = by.clone().or_else(|| std::env::var("USER").ok()).filter(|by| !by.trim().is_empty());
    let by = by.unwrap_or_else(|| "an operator".to_owned());
    let to = turn.switched(by.trim(), reason.as_deref(), SystemClock.now_ms());
    turned(name, to.as_ref(), &config.load(Variables::Optional)?, out).await
}

pub(super) async fn on(arguments: &On, out: &Output) -> Result<(), Failure> {
    turned(&arguments.name, None, &arguments.config.load(Variables::Optional)?, out).await
}

async fn turned(name: &str, to: Option<&Switched>, config: &Config, out: &Output) -> Result<(), Failure> {
    let (queue, switches) = (store::open(config).await?, Switches::default());
    switches.learn(queue.as_ref()).await?;
    let configured = config.destinations.iter().find(|destination| destination.name == name);
    // One that was removed may have a switch still.
    if configured.is_none() && switches.of(name).is_none() {
        let names = config.destinations.iter().map(|destination| destination.name.as_str());
        return Err(Failure::new(Exit::NotFound, format!("unknown destination `{name}`")).hint(suggestion(name, names)));
    }
    switches.turn(queue.as_ref(), name, to).await?;
    if to.is_none() && configured.is_some_and(|destination| !destination.enabled) {
        out.note(&format!("note: the configuration says `enabled = false` for `{name}`, which goes on to hold"));
    }
    out.data(&json!({ "name": name, "switch": ops::shown(to) }), |_, paint| match to {
        Some(switched) => {
            format!("{} is {}; every gateway obeys within a second", paint.bold(name), clean(&switched.to_string()))
        }
        None => format!("{} is on; what waits for it is sent", paint.bold(name)),
    });
    Ok(())
}
