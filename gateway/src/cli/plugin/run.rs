//! `tidegate plugin run`: what a plugin makes of a sample event, shown again whenever its folder changes.

mod page;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use page::{changed, render};
use serde::Serialize;
use tidegate_plugin_sdk::testing::{Case, Suite};
use tidegate_sandbox::{Plugin, Sandbox, contract, fixtures};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::destination::{self, Check, Sent};
use super::super::failure::{Exit, Failure};
use super::super::output::{Format, Output, Paint, clean};
use super::super::{ConfigFile, Variables};
use super::subject::{Subject, metered};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, PluginSource, Site, suggestion};
use crate::kit::preview::{self, Outcome, Preview, Sample};
use crate::kit::project::Files;
use crate::trial::{Report, sample};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// The made-up event that is shown and sent where none is named.
const SAMPLE: &str = "purchase";

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// A plugin's folder, a `.wasm` file, or the name of a built-in plugin
    #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
    plugin: String,
    /// The event: a name, for a sample with every field filled by made-up data; or a `.json` file, as a backend posts
    /// it
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "fixture")]
    event: Option<String>,
    /// The event of this fixture; without this, `--event` and `--send`, that of `purchase.json`, or else the first
    #[arg(long, value_name = "NAME")]
    fixture: Option<String>,
    /// Send the event, a sample purchase where `--event` names no other, to the destination as a test, and show the
    /// answer
    #[arg(long, requires = "destination", conflicts_with = "fixture")]
    send: bool,
    /// Take the plugin's own configuration from this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// Show it once, and end
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let run = Run { arguments, out, sandbox: metered()? };
    match (out.format, arguments.once) {
        (Format::Json, _) => run.told().await,
        (Format::Human, true) => {
            let preview = run.preview()?;
            out.data(&preview, render);
            run.sent().await?;
            ended(&preview)
        }
        (Format::Human, false) => run.watch().await,
    }
}

/// What a program is told: the preview, and what came of the event where it was sent.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    preview: Preview,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Report>,
}

struct Run<'a> {
    arguments: &'a Arguments,
    out: &'a Output,
    sandbox: Sandbox,
}

impl Run<'_> {
    /// Tells a program everything at once.
    async fn told(&self) -> Result<(), Failure> {
        let preview = self.preview()?;
        let (sent, went) = match self.send().await {
            Ok(None) => (None, Ok(())),
            Ok(Some(sent)) => {
                let (report, went) = sent.ended();
                (Some(report), went)
            }
            Err(failure) => (None, Err(failure)),
        };
        let told = Told { preview, sent };
        self.out.data(&told, |told, paint| render(&told.preview, paint));
        went.and_then(|()| ended(&told.preview))
    }

    /// Shows the preview, and again after each change, until Ctrl-C: also one that comes while it builds or sends.
    async fn watch(&self) -> Result<(), Failure> {
        let mut ctrl_c = signal(SignalKind::interrupt())
            .map_err(|error| Failure::of(Exit::Internal, "listen for Ctrl-C", &error))?;
        let mut shown = String::new();
        loop {
            // Before the build: what is saved meanwhile may not be in it.
            let before = self.files();
            let preview = self.preview();
            if has_come(&mut ctrl_c).await {
                return Ok(());
            }
            match preview {
                Ok(preview) => {
                    let text = render(&preview, Paint::Plain);
                    match shown.is_empty() {
                        true => self.out.text(&render(&preview, self.out.paint)),
                        false => self.out.text(&changed(&shown, &text, self.out.paint)),
                    }
                    shown = text;
                    tokio::select! {
                        _ = ctrl_c.recv() => return Ok(()),
                        sent = self.sent() => sent.unwrap_or_else(|failure| self.out.failure(&failure)),
                    }
                }
                Err(failure) => self.out.failure(&failure),
            }
            self.out.note(&self.out.paint_errors.dim("waiting for a change; Ctrl-C ends it"));
            let Some(files) = self.change(&before, &mut ctrl_c).await else { return Ok(()) };
            self.out.note(&format!("\n{} {}", self.out.paint_errors.cyan("changed:"), clean(&files)));
        }
    }

    /// Waits until files change and then for as long as they still do; names them. Nothing, where somebody ends it.
    async fn change(&self, before: &Files, ctrl_c: &mut Signal) -> Option<String> {
        let mut last = before.clone();
        loop {
            tokio::select! {
                _ = ctrl_c.recv() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.files();
            let is_still = now.changed_since(&last).is_empty();
            let changed = now.changed_since(before);
            if is_still && !changed.is_empty() {
                let names: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
                return Some(names.join(", "));
            }
            last = now;
        }
    }

    /// Everything that what is shown depends on.
    fn files(&self) -> Files {
        let plugin = Path::new(&self.arguments.plugin);
        let mut files = Files::watched(plugin);
        files.add_file(plugin);
        let config = self.arguments.destination.as_ref().map(|_| self.arguments.config.config.as_path());
        for file in self.event_file().into_iter().chain(config) {
            files.add_file(file);
        }
        files
    }

    fn event_file(&self) -> Option<&Path> {
        let event = self.arguments.event.as_deref().map(Path::new)?;
        let is_file = event.extension().is_some_and(|extension| extension == "json");
        (is_file || event.components().count() > 1).then_some(event)
    }

    fn preview(&self) -> Result<Preview, Failure> {
        let subject = Subject::of(&self.arguments.plugin, self.out)?;
        let plugin = subject.load(&self.sandbox)?;
        let suite = subject.suite(&plugin);
        let settings = self.settings()?;
        // What is sent is a posted event: the same is shown.
        let sample = match self.arguments.event.is_some() || self.arguments.send {
            true => self.posted(&plugin, suite.ok().as_ref(), settings)?,
            false => self.fixture(&suite?, &plugin, settings)?,
        };
        Ok(preview::preview(&plugin, &sample))
    }

    /// The destination whose configuration is asked for, and its site.
    fn settings(&self) -> Result<Option<(Site, config::Destination)>, Failure> {
        let Some(name) = &self.arguments.destination else { return Ok(None) };
        let config = self.arguments.config.load(Variables::Optional)?;
        let found = config.destinations.iter().find(|destination| destination.name == *name);
        let Some(destination) = found else {
            let names = config.destinations.iter().map(|destination| destination.name.as_str());
            let failure = Failure::new(Exit::NotFound, format!("unknown destination `{name}`"));
            return Err(failure.hint(suggestion(name, names)));
        };
        let site = config.site(&destination.site).cloned();
        Ok(Some((site.unwrap_or_else(preview::site), destination.clone())))
    }

    /// The event that `--event` means, as the plugin is given it.
    fn posted(
        &self,
        plugin: &Plugin,
        suite: Option<&Suite>,
        settings: Option<(Site, config::Destination)>,
    ) -> Result<Sample, Failure> {
        let name = self.arguments.event.as_deref().unwrap_or(SAMPLE);
        let body = match self.event_file() {
            Some(file) => std::fs::read(file)
                .map_err(|error| Failure::of(Exit::NotFound, &format!("read the event `{name}`"), &error))?,
            // The same id and time whenever it is shown: what changes is the plugin's doing.
            None => sample(name, "tidegate-run", SystemClock.now_ms() / 60_000 * 60_000).to_string().into_bytes(),
        };
        // Without a destination, the plugin's own configuration is that of its first fixture.
        let example = suite.and_then(|suite| suite.events().into_iter().next());
        let example = example.and_then(|(_, _, ctx)| serde_json::from_str(&ctx.config).ok());
        let (site, own, base_url) = match settings {
            Some((site, destination)) => (site, destination.config, destination.base_url),
            None => (preview::site(), example.unwrap_or_else(|| serde_json::json!({})), None),
        };
        let event = preview::posted(&body, &site, plugin).map_err(|error| {
            let failure = Failure::of(Exit::Data, &format!("the event `{name}` would be refused"), &error);
            failure.hint("it has the form that `POST /v1/events` takes")
        })?;
        let context = preview::context(&event, &plugin.manifest().config_with_defaults(own));
        Ok(Sample { event, context, base_url })
    }

    /// The event of the fixture that is asked for.
    fn fixture(
        &self,
        suite: &Suite,
        plugin: &Plugin,
        settings: Option<(Site, config::Destination)>,
    ) -> Result<Sample, Failure> {
        let name = self.fixture_name(suite)?;
        let problem = |what: String| Failure::new(Exit::Data, format!("fixture `{name}`: {what}"));
        let (event, ctx) = match suite.case(&name).map_err(problem)? {
            Case::Transform(event, ctx) => (event, ctx),
            Case::Classify(..) => return Err(problem("it has no event".into())),
        };
        let failed = |error: tidegate_sandbox::CallError| problem(error.to_string());
        let (event, mut context): (_, contract::Context) =
            (fixtures::convert(&event).map_err(failed)?, fixtures::convert(&ctx).map_err(failed)?);
        let base_url = settings.and_then(|(_, destination)| {
            context.config = plugin.manifest().config_with_defaults(destination.config).to_string();
            destination.base_url
        });
        Ok(Sample { event, context, base_url })
    }

    fn fixture_name(&self, suite: &Suite) -> Result<String, Failure> {
        let names: Vec<&str> = suite.names().collect();
        if let Some(asked) = &self.arguments.fixture {
            let file = if asked.ends_with(".json") { asked.clone() } else { format!("{asked}.json") };
            if names.contains(&file.as_str()) {
                return Ok(file);
            }
            let failure = Failure::new(Exit::NotFound, format!("there is no fixture `{file}`"));
            return Err(failure.hint(suggestion(&file, names)));
        }
        if names.contains(&"purchase.json") {
            return Ok("purchase.json".to_owned());
        }
        let first = suite.events().first().map(|(name, ..)| (*name).to_owned());
        first.ok_or_else(|| {
            Failure::new(Exit::Data, "no fixture has an event").hint("`--event purchase` shows a made-up one")
        })
    }

    /// Sends the event as a test, where that is asked for, and shows what came of it.
    async fn sent(&self) -> Result<(), Failure> {
        let Some(sent) = self.send().await? else { return Ok(()) };
        self.out.text("");
        sent.show(self.out);
        sent.ended().1
    }

    async fn send(&self) -> Result<Option<Sent>, Failure> {
        let (true, Some(name)) = (self.arguments.send, &self.arguments.destination) else { return Ok(None) };
        let check = Check {
            name: name.clone(),
            event: self.arguments.event.clone().unwrap_or_else(|| SAMPLE.into()),
            live: false,
            config: self.arguments.config.clone(),
        };
        let plugin = match tidegate_plugins::find(&self.arguments.plugin) {
            Some(built_in) => PluginSource::BuiltIn(built_in.name.to_owned()),
            None => PluginSource::File(self.component()?),
        };
        destination::send(&check, Some(plugin), self.out).await.map(Some)
    }

    /// Where the plugin's component is.
    fn component(&self) -> Result<PathBuf, Failure> {
        Subject::of(&self.arguments.plugin, self.out)?
            .file
            .ok_or_else(|| Failure::new(Exit::Internal, format!("`{}` has no component's file", self.arguments.plugin)))
    }
}

fn ended(preview: &Preview) -> Result<(), Failure> {
    match preview.outcome {
        // It has been shown.
        Outcome::Failed(_) => Err(Failure::said(Exit::No)),
        Outcome::Requests(_) | Outcome::Skip(_) | Outcome::Invalid(_) => Ok(()),
    }
}

/// Whether the signal came while nobody was listening.
async fn has_come(signal: &mut Signal) -> bool {
    tokio::select! {
        biased;
        _ = signal.recv() => true,
        // A millisecond: until the runtime has looked, the signal has not come for it.
        () = tokio::time::sleep(Duration::from_millis(1)) => false,
    }
}
