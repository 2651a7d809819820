//! `tidegate destination`: `check` sends a test event to one destination for real, and tells what the platform made of it;
//! the others turn a destination's switch.

mod switch;

use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::Value;

use super::failure::{Exit, Failure};
use super::output::{Output, Paint, clean};
use super::{ConfigFile, Variables, store};
use crate::admin::ops::Turn;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, PluginSource, Site, UNSET, suggestion};
use crate::delivery::egress::Egress;
use crate::destination::{Destination, prepare};
use crate::journey::consent::Consented;
use crate::journey::trial;
use crate::ledger::Ledger;
use crate::trial::{Outcome, Reply, Report, Trial, Tried, Wire, sample};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send a test event to a destination, and show the request and the answer, without secrets
    Check(Check),
    /// Send nothing more to a destination, and drop new events for it, until it is switched on
    Off(switch::Arguments),
    /// Send nothing more to a destination, and let new events wait for it, until it is switched on
    Pause(switch::Arguments),
    /// Switch a destination on: what waits for it is sent
    #[command(alias = "resume")]
    On(switch::On),
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The destination's name
    pub(super) name: String,
    /// The event: a name, for a sample with every field filled by made-up data; or a `.json` file, as a backend posts it
    #[arg(long, value_name = "NAME|FILE", default_value = "purchase")]
    pub(super) event: String,
    /// Send it as a real event, which the platform counts
    #[arg(long)]
    pub(super) live: bool,
    #[command(flatten)]
    pub(super) config: ConfigFile,
}

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Check(check) => {
            let sent = send(check, None, out).await?;
            sent.show(out);
            sent.ended().1
        }
        Command::Off(arguments) => switch::stop(arguments, Turn::Off, out).await,
        Command::Pause(arguments) => switch::stop(arguments, Turn::Pause, out).await,
        Command::On(arguments) => switch::on(arguments, out).await,
    }
}

/// What came of an event that was sent.
pub(super) struct Sent {
    report: Report,
    destination: Arc<Destination>,
    /// Whether the ledger has it.
    closed: Result<(), Failure>,
}

impl Sent {
    pub(super) fn show(&self, out: &Output) {
        out.data(&self.report, render);
    }

    /// What a program is told of it, and whether the platform took it.
    pub(super) fn ended(self) -> (Report, Result<(), Failure>) {
        let went = self.closed.and_then(|()| ended(&self.report, &self.destination));
        (self.report, went)
    }
}

/// Sends the event, by another plugin than the configuration's where one is given.
pub(super) async fn send(check: &Check, plugin: Option<PluginSource>, out: &Output) -> Result<Sent, Failure> {
    let mut config = check.config.load(Variables::Optional)?;
    only(&mut config, check)?;
    if let (Some(plugin), Some(destination)) = (plugin, config.destinations.first_mut()) {
        destination.plugin = plugin;
    }
    let sandbox = super::sandbox()?;
    let destinations = prepare(&config, &sandbox)
        .map_err(|mistakes| Failure::from(mistakes.named(check.config.config.display().to_string())))?;
    let none = || Failure::new(Exit::Internal, "the configuration has lost its destination");
    let destination = destinations.into_iter().next().ok_or_else(none)?;
    let site = config.site(&destination.site).ok_or_else(none)?;
    let event = event(check, site)?;
    if check.live {
        out.note(&format!("{} it counts as a real event", out.paint_errors.yellow("warning:")));
    }
    let egress = Egress::new().map_err(|error| Failure::of(Exit::Internal, "set up HTTP", &error))?;
    let store = store::open(&config).await;
    if let Err(failure) = &store {
        let why = failure.what().map(|what| format!(": {what}")).unwrap_or_default();
        out.note(&format!("note: what is sent now will not be in the ledger{why}"));
    }
    let queue = store.ok();
    let ledger = queue.as_ref().map(|queue| Arc::new(Ledger::new(Arc::clone(queue), Arc::new(SystemClock))));
    let trial = Trial {
        destination: Arc::clone(&destination),
        sender: Arc::new(egress),
        clock: Arc::new(SystemClock),
        response_bytes_max: config.delivery.response_bytes_max,
        ledger: ledger.clone(),
    };
    let report = trial.run(&event).await;
    let close = async || -> Result<(), Failure> {
        if let (Some(ledger), Some(queue)) = (ledger, queue) {
            ledger.close().await?;
            queue.close().await?;
        }
        Ok(())
    };
    Ok(Sent { report, destination, closed: close().await })
}

/// Leaves the one destination in the configuration, switched on and in the mode that is asked for.
fn only(config: &mut Config, check: &Check) -> Result<(), Failure> {
    if !config.destinations.iter().any(|destination| destination.name == check.name) {
        let names = config.destinations.iter().map(|destination| destination.name.as_str());
        let failure = Failure::new(Exit::NotFound, format!("unknown destination `{}`", check.name));
        return Err(failure.hint(suggestion(&check.name, names)));
    }
    config.destinations.retain(|destination| destination.name == check.name);
    for destination in &mut config.destinations {
        (destination.enabled, destination.test_mode) = (true, !check.live);
        for (name, secret) in &destination.secrets {
            if let Some(variable) = secret.reveal().strip_prefix(UNSET) {
                let what = format!("environment variable `{variable}` is not set");
                let hint = format!("set it: secret `{name}` of destination `{}` is taken from it", destination.name);
                return Err(Failure::new(Exit::Usage, what).hint(hint));
            }
        }
    }
    Ok(())
}

/// The event that is asked for, as far as its consent.
fn event(check: &Check, site: &Site) -> Result<Consented, Failure> {
    let name = &check.event;
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "json") || name.contains('/');
    let body = if is_file {
        let read = std::fs::read(name);
        read.map_err(|error| Failure::of(Exit::NotFound, &format!("read the event `{name}`"), &error))?
    } else {
        let id = format!("tidegate-check-{}", SystemClock.new_id());
        sample(name, &id, SystemClock.now_ms()).to_string().into_bytes()
    };
    trial::event(&body, site, &SystemClock).map_err(|error| {
        let failure = Failure::of(Exit::Data, &format!("the event `{name}` would be refused"), &error);
        failure.hint("it has the form that `POST /v1/events` takes")
    })
}

fn ended(report: &Report, destination: &Destination) -> Result<(), Failure> {
    let reason = report.reason.as_deref().unwrap_or_default();
    let no = |what: String| Failure::new(Exit::No, what);
    match report.outcome {
        Outcome::Delivered => Ok(()),
        // The verdict has been shown with its request.
        Outcome::NotDelivered => Err(Failure::said(Exit::No)),
        Outcome::Dropped => {
            let failure = no(format!("nothing was sent: the event does not go to `{}`: {reason}", destination.name));
            Err(failure.hint("name another one: `--event page_view`, or a file of your own"))
        }
        Outcome::Refused => Err(no(format!("nothing was sent: the plugin refuses the event: {reason}"))),
        Outcome::NoTestFacility => {
            let failure = no(format!("nothing was sent: the plugin refuses a test event: {reason}"));
            Err(failure.hint("`--live` sends it as a real event, which the platform counts"))
        }
    }
}

fn render(report: &Report, paint: Paint) -> String {
    let Report { destination, plugin, mode, id, event, requests, test_view, .. } = report;
    let head = format!("{} ({plugin}), a {mode} event: `{event}`, id {id}", paint.bold(destination));
    let mut lines = vec![head];
    for tried in requests {
        lines.extend(rendered(tried, paint));
    }
    if let (Some(view), false) = (test_view, requests.is_empty()) {
        lines.extend([String::new(), format!("see it arrive: {}", clean(view))]);
    }
    lines.join("\n")
}

fn rendered(tried: &Tried, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for Wire { method, url, headers, body, answer } in &tried.wire {
        lines.extend([String::new(), paint.bold(format!("{method} {url}"))]);
        lines.extend(headers.iter().map(|(name, value)| format!("  {name}: {}", clean(value))));
        lines.push(String::new());
        lines.extend(indented(body));
        match answer {
            Reply::Failed(why) => lines.extend([String::new(), paint.bold(why)]),
            Reply::Answered { status, body } => {
                lines.extend([String::new(), paint.bold(format!("HTTP {status}"))]);
                lines.extend(indented(body));
            }
        }
    }
    let verdict = if tried.delivered { paint.green(&tried.verdict) } else { paint.red(&tried.verdict) };
    lines.extend([String::new(), verdict]);
    lines
}

/// A body for a person: JSON is laid out.
pub(super) fn indented(body: &str) -> Vec<String> {
    let json = serde_json::from_str::<Value>(body).ok().filter(|json| json.is_object() || json.is_array());
    let text = json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| body.to_owned());
    clean(&text).lines().map(|line| format!("  {line}")).collect()
}
