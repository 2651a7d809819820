//! `tidegate plugin`: what a plugin is, what it sees and where it sends; and, for its author, making and trying one.

mod approve;
mod audit;
mod bench;
mod build;
mod describe;
mod diff;
mod new;
mod replay;
mod run;
mod subject;
mod test;
mod verify;

use std::path::Path;

use clap::Subcommand;
use serde::Serialize;
use tidegate_sandbox::{Inspection, inspect};

use super::failure::{Exit, Failure};
use super::output::{Output, table};
use crate::config::{PluginSource, suggestion};
use crate::destination::component;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a plugin's manifest, digest, imports, exports and limits, without running it
    Inspect {
        /// A `.wasm` file, or the name of a built-in plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
    },
    /// List the built-in plugins
    List,
    /// Run a plugin's fixtures in the sandbox, and show what each gives and uses
    Test(test::Arguments),
    /// Show what a plugin makes of a sample event, and again after each change
    Run(run::Arguments),
    /// Measure what a plugin's events cost, beside those of built-in plugins
    Bench(bench::Arguments),
    /// Report what plugins are and what somebody should look at before they are approved
    Audit(audit::Arguments),
    /// Compare what two plugins may do, widenings first; the exit code is 1 when there is one
    Diff(diff::Arguments),
    /// Make a plugin's project, to begin with
    New(new::Arguments),
    /// Build a plugin's project to a component that the gateway would load
    Build(build::Arguments),
    /// Show what the lock does not cover of the configuration's plugins, and approve it
    Approve(approve::Arguments),
    /// Say whose signature a plugin's file carries, without reading more of the file than its bytes
    Verify(verify::Arguments),
    /// Print the JSON Schema of `plugin.toml`, for editors: `#:schema ./plugin.schema.json` in its first line
    Schema,
    /// Run an event's recorded transforms again, through the components that ran, and compare every byte
    Replay(replay::Arguments),
}

/// A built-in plugin in a list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    version: String,
    summary: String,
    digest: String,
}

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Inspect { plugin } => {
            let inspection = read(plugin, &bytes_of(plugin)?)?;
            out.data(&inspection, describe::plugin);
            match inspection.imports.is_empty() {
                true => Ok(()),
                false => Err(Failure::new(Exit::Data, format!("`{plugin}` has imports: it would not be loaded"))),
            }
        }
        Command::List => {
            let all: Result<Vec<Listed>, Failure> = tidegate_plugins::BUILT_IN.iter().map(listed).collect();
            out.data(&all?, |all, paint| {
                let rows: Vec<[String; 3]> =
                    all.iter().map(|one| [one.name.clone(), one.version.clone(), one.summary.clone()]).collect();
                table(paint, ["NAME", "VERSION", "DELIVERS TO"], &rows)
            });
            Ok(())
        }
        Command::Test(arguments) => test::run(arguments, out),
        Command::Run(arguments) => run::run(arguments, out).await,
        Command::Bench(arguments) => bench::run(arguments, out),
        Command::Audit(arguments) => audit::run(arguments, out),
        Command::Diff(arguments) => diff::run(arguments, out),
        Command::New(arguments) => new::run(arguments, out),
        Command::Build(arguments) => build::run(arguments, out),
        Command::Approve(arguments) => approve::run(arguments, out),
        Command::Verify(arguments) => verify::run(arguments, out),
        Command::Schema => {
            out.text(tidegate_plugin_sdk::manifest::SCHEMA.trim_end());
            Ok(())
        }
        Command::Replay(arguments) => replay::run(arguments, out).await,
    }
}

fn listed(plugin: &tidegate_plugins::BuiltIn) -> Result<Listed, Failure> {
    let Inspection { digest, manifest, .. } = read(plugin.name, plugin.wasm)?;
    Ok(Listed {
        name: manifest.name,
        version: manifest.version.to_string(),
        summary: manifest.summary,
        digest: digest.to_string(),
    })
}

/// The plugin that a person names: a built-in, or else a file.
fn named(plugin: &str) -> PluginSource {
    match tidegate_plugins::find(plugin) {
        Some(_) => PluginSource::BuiltIn(plugin.to_owned()),
        None => PluginSource::File(plugin.into()),
    }
}

fn bytes_of(plugin: &str) -> Result<Vec<u8>, Failure> {
    component(&named(plugin)).map_err(|error| {
        if Path::new(plugin).components().count() > 1 || plugin.ends_with(".wasm") {
            return Failure::of(Exit::NotFound, "", &error);
        }
        let names = tidegate_plugins::BUILT_IN.iter().map(|built_in| built_in.name);
        let failure = Failure::of(Exit::NotFound, &format!("no plugin `{plugin}` is built in"), &error);
        failure.hint(suggestion(plugin, names))
    })
}

fn read(plugin: &str, wasm: &[u8]) -> Result<Inspection, Failure> {
    inspect(wasm).map_err(|error| {
        let failure = Failure::new(Exit::Data, format!("`{plugin}` {error}"));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}
