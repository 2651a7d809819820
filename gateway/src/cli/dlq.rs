//! `tidegate dlq`: the dead letters, for a person to see, mend and send again.

use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;
use tidegate_queue::{DeadFilter, DeliveryKey, Queue};

use super::addresses::Addresses;
use super::failure::{Exit, Failure};
use super::output::{Output, Paint, clean, plural, table, time};
use super::{ConfigFile, Variables, store, trace};
use crate::admin::ops::{self, How, Replayed};
use crate::admin::view::{DeadLetter, DeliveryTrace, Trace};
use crate::clock::SystemClock;
use crate::config::{Config, suggestion};
use crate::destination::{self, Destination};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List dead letters, newest first
    List {
        /// Only those of this destination
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        /// Only those of this event
        #[arg(long, value_name = "ID")]
        event: Option<String>,
        /// Only those whose reason contains this text
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show one dead letter: what the plugin saw, what was sent, what was answered
    Show {
        /// The dead letter's id
        #[arg(value_parser = key)]
        id: DeliveryKey,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Put dead letters back into the queue
    Replay {
        #[command(flatten)]
        which: Which,
        /// As they were recorded (the default)
        #[arg(long, conflicts_with = "fresh")]
        recorded: bool,
        /// Through the plugin as it is now: after it, or the destination's configuration, was mended
        #[arg(long)]
        fresh: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Delete dead letters for good
    Purge {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Which dead letters: never all of them by omission.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["ids", "destination", "all"]))]
pub(super) struct Which {
    /// Dead letters' ids
    #[arg(value_name = "ID", value_parser = key)]
    ids: Vec<DeliveryKey>,
    /// All of this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// All there are
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::List { destination, event, reason, limit, config } => {
            let config = config.load(Variables::Optional)?;
            let filter = DeadFilter {
                destination: destination.clone(),
                entry_id: event.clone(),
                reason: reason.clone(),
                before: None,
                limit: *limit,
            };
            let queue = store::open(&config).await?;
            let letters = ops::dead_letters(&*queue, filter).await?;
            note_if_unknown(&config, destination.as_deref(), out);
            out.data(&json!({ "dead_letters": letters }), |_, paint| list(&letters, paint));
            Ok(())
        }
        Command::Show { id, config } => show(*id, config, out).await,
        Command::Replay { which, recorded: _, fresh, config } => {
            let how = if *fresh { How::Fresh } else { How::Recorded };
            replay(which, how, &config.load(Variables::Optional)?, out).await
        }
        Command::Purge { which, yes, config } => {
            let config = config.load(Variables::Optional)?;
            let queue = store::open(&config).await?;
            note_if_unknown(&config, which.destination.as_deref(), out);
            if !yes {
                confirm(which, &*queue, out).await?;
            }
            let purged = match which.keys() {
                Some(keys) => queue.purge(keys.to_vec()).await?,
                None => ops::purge(&*queue, which.filter()).await?,
            };
            out.data(&json!({ "purged": purged }), |_, _| format!("deleted {}", plural(purged, "dead letter")));
            Ok(())
        }
    }
}

impl Which {
    fn keys(&self) -> Option<&[DeliveryKey]> {
        (!self.ids.is_empty()).then_some(self.ids.as_slice())
    }

    fn filter(&self) -> DeadFilter {
        DeadFilter { destination: self.destination.clone(), ..DeadFilter::default() }
    }
}

/// A destination that is not configured any more may still have dead letters; a misspelt one never has.
fn note_if_unknown(config: &Config, destination: Option<&str>, out: &Output) {
    let names = config.destinations.iter().map(|destination| destination.name.as_str());
    if let Some(name) = destination.filter(|name| !names.clone().any(|known| known == *name)) {
        out.note(&format!("note: destination `{}` is not configured; {}", clean(name), suggestion(name, names)));
    }
}

fn list(letters: &[DeadLetter], paint: Paint) -> String {
    if letters.is_empty() {
        return "no dead letters".to_owned();
    }
    let row = |letter: &DeadLetter| {
        [
            letter.id.clone(),
            letter.destination.clone(),
            time(letter.died_ms),
            letter.event_id.clone(),
            letter.attempts.to_string(),
            letter.reason.clone(),
        ]
    };
    let rows: Vec<[String; 6]> = letters.iter().map(row).collect();
    table(paint, ["ID", "DESTINATION", "DIED", "EVENT", "ATTEMPTS", "REASON"], &rows)
}

async fn show(id: DeliveryKey, config: &ConfigFile, out: &Output) -> Result<(), Failure> {
    let config = config.load(Variables::Optional)?;
    let queue = store::open(&config).await?;
    let missing = || {
        let failure = Failure::new(Exit::NotFound, format!("no dead letter has the id `{id}`"));
        failure.hint("`tidegate dlq list` lists them; one that was put back is shown by `tidegate events show`")
    };
    // The list goes by keys downwards: the first below the next key is this one, if it is there.
    let next = u128::from_be_bytes(id.0).checked_add(1).map(|next| DeliveryKey(next.to_be_bytes()));
    let filter = DeadFilter { before: next, limit: 1, ..DeadFilter::default() };
    let letters = ops::dead_letters(&*queue, filter).await?;
    let letter = letters.into_iter().find(|letter| letter.id == id.to_string()).ok_or_else(missing)?;
    let traces = ops::trace(&*queue, &letter.event_id).await?;
    let delivery = traces.into_iter().find_map(|trace| of_trace(trace, &letter.id)).ok_or_else(missing)?;
    let shown = json!({ "dead_letter": letter, "delivery": delivery });
    out.data(&shown, |_, paint| {
        let mut lines = vec![
            format!("{}  {}", paint.bold(&letter.destination), paint.outcome("dead")),
            format!("  because    {}", clean(&letter.reason)),
            format!("  died       {}", time(letter.died_ms)),
            format!("  event      {} of site {}", clean(&letter.event_id), letter.site),
        ];
        let addresses = Addresses::of(&config);
        lines.extend(trace::of_delivery(&delivery, |request| addresses.url(&letter.destination, request), paint));
        lines.join("\n")
    });
    Ok(())
}

fn of_trace(trace: Trace, id: &str) -> Option<DeliveryTrace> {
    let mut deliveries = trace.destinations.into_iter().flat_map(|destination| destination.deliveries);
    deliveries.find(|delivery| delivery.id == id)
}

async fn replay(which: &Which, how: How, config: &Config, out: &Output) -> Result<(), Failure> {
    let queue = store::open(config).await?;
    note_if_unknown(config, which.destination.as_deref(), out);
    let destinations = destinations(config)?;
    let ids = which.keys().map(<[DeliveryKey]>::to_vec);
    let wanted = ops::Wanted { filter: which.filter(), ids, how };
    let report = ops::replay(&*queue, wanted, &destinations, &SystemClock).await?;
    let queued = report.iter().filter(|replayed| replayed.queued).count();
    let refused: Vec<&Replayed> = report.iter().filter(|replayed| !replayed.queued).collect();
    out.data(&json!({ "replayed": queued, "dead_letters": report }), |_, paint| {
        let mut lines = vec![format!("put back {}", plural(queued, "dead letter"))];
        for replayed in &refused {
            lines.push(format!("{} {}", paint.yellow(&replayed.id), replayed.reason.as_deref().unwrap_or_default()));
        }
        lines.join("\n")
    });
    if refused.is_empty() { Ok(()) } else { Err(Failure::said(Exit::Data)) }
}

/// The destinations whose plugins may be asked again.
fn destinations(config: &Config) -> Result<Vec<Arc<Destination>>, Failure> {
    let sandbox = super::sandbox()?;
    destination::prepare(config, &sandbox).map_err(Failure::from)
}

async fn confirm(which: &Which, queue: &dyn Queue, out: &Output) -> Result<(), Failure> {
    let what = match (&which.keys(), &which.destination) {
        (Some(keys), _) => plural(keys.len(), "dead letter"),
        (None, destination) => {
            let counts = queue.counts().await?;
            let of = |name: &str| destination.as_deref().is_none_or(|wanted| wanted == name);
            let dead: u64 = counts.iter().filter(|count| of(&count.destination)).map(|count| count.dead).sum();
            plural(usize::try_from(dead).unwrap_or(usize::MAX), "dead letter")
        }
    };
    match out.ask(&format!("delete {what} for good? [y/N]")) {
        Some(answer) if matches!(answer.as_str(), "y" | "yes") => Ok(()),
        Some(_) => Err(Failure::new(Exit::Usage, "nothing was deleted")),
        None => Err(Failure::new(Exit::Usage, format!("deleting {what} needs a yes")).hint("add `--yes`")),
    }
}

fn key(text: &str) -> Result<DeliveryKey, String> {
    let uuid = uuid::Uuid::try_parse(text).map_err(|_| "is no dead letter's id: 32 hexadecimal digits".to_owned())?;
    Ok(DeliveryKey(*uuid.as_bytes()))
}
