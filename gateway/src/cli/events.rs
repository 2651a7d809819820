//! `tidegate events`: what happened to an event, and the newest events.

use clap::Subcommand;
use serde_json::json;

use super::addresses::Addresses;
use super::failure::{Exit, Failure};
use super::output::{Output, Paint, table, time};
use super::trace::render;
use super::{ConfigFile, Variables, store};
use crate::admin::ops;
use crate::admin::view::{Summary, Trace};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what happened to one event at every stage, and why
    Show {
        /// The event's id
        id: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the newest events
    List {
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        config: ConfigFile,
    },
}

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Show { id, config } => {
            let config = config.load(Variables::Optional)?;
            let queue = store::open(&config).await?;
            let mut traces = ops::trace(&*queue, id).await?;
            // As the admin listener does: the one that was taken tells more than one that was refused.
            traces.sort_by_key(|trace| trace.event.is_none());
            let addresses = Addresses::of(&config);
            let traces: Vec<Trace> =
                traces.into_iter().map(|trace| trace.judged(|name| addresses.profile(name))).collect();
            let Some(first) = traces.first() else {
                let failure = Failure::new(Exit::NotFound, format!("no event has the id `{id}`"));
                return Err(failure.hint("`tidegate events list` has the newest; traces last `store.journal_days`"));
            };
            out.data(first, |_, paint| {
                traces.iter().map(|trace: &Trace| render(trace, &addresses, paint)).collect::<Vec<_>>().join("\n\n")
            });
        }
        Command::List { limit, config } => {
            let queue = store::open(&config.load(Variables::Optional)?).await?;
            let events = ops::recent(&*queue, *limit).await?;
            out.data(&json!({ "events": events }), |_, paint| list(&events, paint));
        }
    }
    Ok(())
}

fn list(events: &[Summary], paint: Paint) -> String {
    if events.is_empty() {
        return "no events yet".to_owned();
    }
    let row = |event: &Summary| {
        [
            time(event.received_ms),
            event.id.clone(),
            event.name.clone(),
            event.consent.unwrap_or("-").to_owned(),
            event.outcome.as_str().to_owned(),
            event.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<[String; 6]> = events.iter().map(row).collect();
    table(paint, ["RECEIVED", "ID", "NAME", "CONSENT", "OUTCOME", "REASON"], &rows)
}
