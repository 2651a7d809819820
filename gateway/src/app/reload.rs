//! Reloads: reads the configuration again, makes everything that is new aside, and swaps it in at once; or leaves all as it
//! was, and says why. Drops no request and no event, and never runs parts of two configurations.

use std::sync::Arc;

use tidegate_queue::Queue;
use tidegate_sandbox::{Plugin, Sandbox, fixtures};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::aside::aside;
use super::{Parts, Roles, approvals, certificates};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::{Config, Mistake, Mistakes, Source};
use crate::destination::{self, Destination};
use crate::reload::{Asked, Changes, Problems, Reloads, Status};

/// How much is told of a fixture that fails; its author can see the rest.
const PROBLEMS_MAX: usize = 3;

/// What a reload needs.
pub(super) struct Reloading {
    pub(super) parts: Parts,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) reloads: Reloads,
    pub(super) roles: Roles,
    pub(super) stop: CancellationToken,
}

/// What runs while a new configuration is made beside it.
struct Running {
    config: Config,
    destinations: Vec<Arc<Destination>>,
    roles: Roles,
}

/// A configuration that may run, with everything made that is new in it.
struct Ready {
    config: Config,
    destinations: Vec<Arc<Destination>>,
}

impl Reloading {
    /// Reloads whenever it is asked to, one after the other, until the gateway stops.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        loop {
            let first = tokio::select! {
                () = self.stop.cancelled() => return,
                first = asked.recv() => first,
            };
            let Some(first) = first else { return };
            // Who asked while the last one was under way, or at the same time as another, shares this one.
            let mut waiting = vec![first];
            while let Ok(another) = asked.try_recv() {
                waiting.push(another);
            }
            let status = self.reload().await;
            let Some(status) = status else { return };
            for one in waiting {
                // Whoever asked may have gone meanwhile.
                let _ = one.send(status.clone());
            }
        }
    }

    /// `None` when the gateway stops meanwhile.
    async fn reload(&mut self) -> Option<Status> {
        let began_ms = self.clock.steady_ms();
        let prepared = tokio::select! {
            () = self.stop.cancelled() => return None,
            prepared = self.prepare() => prepared,
        };
        let at_ms = self.clock.now_ms();
        let status = match prepared {
            Ok(ready) => {
                let changes = self.swap(ready);
                let took_ms = self.clock.steady_ms().saturating_sub(began_ms);
                Status::Done { at_ms, took_ms, changes }
            }
            Err(problems) => Status::Failed { at_ms, problems: Problems(problems) },
        };
        tell(&status);
        self.parts.metrics.reloaded(&status);
        self.reloads.note(status.clone());
        Some(status)
    }

    /// Reads, checks and makes all that is new, without touching what runs.
    async fn prepare(&self) -> Result<Ready, Mistakes> {
        let Some(source) = self.parts.source.clone() else {
            let unknown = Mistake::error(None, "nothing can be reloaded: this gateway was started without a file");
            return Err(Mistakes::new(vec![unknown.hint("`tidegate run` starts one with a file")]));
        };
        let (name, sandbox) = (source.name(), Arc::clone(&self.sandbox));
        let (config, destinations) = (self.parts.config.clone(), self.parts.crew.destinations());
        let running = Running { config, destinations, roles: self.roles };
        let failed = |what: String| Mistakes::new(vec![Mistake::error(None, what)]).named(name.clone());
        let outcome: oneshot::Receiver<_> = aside(move || make(&source, &sandbox, &running))
            .map_err(|error| failed(format!("nothing was reloaded: {}", chain(&error))))?;
        let panicked = || failed("nothing was reloaded: it ended in a panic, which the log has,".into());
        let ready: Ready = outcome.await.map_err(|_| panicked())??;
        // Not on that thread: one that gets what others leave would make plugins run out of their time.
        let fresh = fresh(&ready.destinations, &self.parts.crew.destinations());
        let wrong = tokio::task::spawn_blocking(|| tried(fresh)).await.map_err(|_| panicked())?;
        if wrong.is_empty() { Ok(ready) } else { Err(Mistakes::new(wrong).named(name.clone())) }
    }

    /// Lets it run: from here on nothing can fail.
    fn swap(&mut self, ready: Ready) -> Changes {
        let Ready { config, destinations } = ready;
        approvals::tell(&config, &destinations);
        self.queue.limit(config.queue_limits());
        // First of all nothing new comes for a destination that is gone.
        if let Some(public) = &self.parts.public {
            public.change(&config, &destinations);
        }
        let changes = self.parts.crew.change(&destinations, &config.delivery);
        self.parts.config = config;
        changes
    }
}

/// Makes what a file says, beside what runs.
fn make(source: &Source, sandbox: &Sandbox, running: &Running) -> Result<Ready, Mistakes> {
    let new = source.read()?;
    for warning in new.warnings.iter() {
        tracing::warn!("{}", warning.in_file(&source.name()).to_string().replace('\n', "; "));
    }
    let mut mistakes = Mistakes::default().named(source.name());
    for key in running.config.fixed_keys_that_differ(&new) {
        let fixed =
            Mistake::error(source.line(key), format!("needs a restart: `{key}` is not what it was at the start"));
        mistakes.push(fixed.hint("restart the gateway, or put the old value back and reload the rest"));
    }
    if let Err(mut found) = certificates::open(&new, running.roles) {
        mistakes.append(&mut found);
    }
    match destination::prepare_beside(&new, sandbox, &running.destinations) {
        Ok(destinations) if mistakes.is_empty() => return Ok(Ready { config: new, destinations }),
        Ok(_) => {}
        Err(mut found) => mistakes.append(&mut found),
    }
    Err(mistakes)
}

/// The destinations whose plugin does not run yet, with that.
fn fresh(new: &[Arc<Destination>], running: &[Arc<Destination>]) -> Vec<(String, Plugin)> {
    let runs = |digest| running.iter().any(|one| one.plugin.digest() == digest);
    let fresh = new.iter().filter(|one| !runs(one.plugin.digest()));
    fresh.map(|one| (one.name.clone(), one.plugin.clone())).collect()
}

/// Runs the fixtures that these plugins' components carry, and says what fails.
fn tried(plugins: Vec<(String, Plugin)>) -> Vec<Mistake> {
    let failing = |(name, plugin): (String, Plugin)| {
        let all = fixtures::embedded_failures(&plugin).into_iter();
        all.map(move |ran| {
            let places = ran.diff.iter().flat_map(|diff| &diff.places);
            let problems: Vec<&str> =
                ran.problems.iter().chain(places).take(PROBLEMS_MAX).map(String::as_str).collect();
            let problems = problems.join("; ");
            let what = format!("destination `{name}`: the plugin's own fixture `{}` fails: {problems}", ran.file);
            Mistake::error(None, what).hint("ask its author: it does not do what it was built to do")
        })
    };
    plugins.into_iter().flat_map(failing).collect()
}

fn tell(status: &Status) {
    match status {
        Status::Never => {}
        Status::Done { took_ms, changes, .. } => {
            let Changes { added, changed, removed, unchanged } = changes;
            let named = |what: &str, names: &[String]| match names {
                [] => String::new(),
                names => format!(", {what} {}", names.join(", ")),
            };
            tracing::info!(
                "reloaded the configuration in {took_ms} ms: {unchanged} destinations as before{}{}{}",
                named("added", added),
                named("changed", changed),
                named("removed", removed)
            );
        }
        Status::Failed { problems: Problems(mistakes), .. } => {
            let count = mistakes.iter().count();
            tracing::error!("the reload failed, and what ran before goes on: {count} mistakes in `{}`", mistakes.file);
            for mistake in mistakes.iter() {
                tracing::error!("{}", mistake.in_file(&mistakes.file).to_string().replace('\n', "; "));
            }
        }
    }
}
