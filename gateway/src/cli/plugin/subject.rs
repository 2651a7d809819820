//! What a person wants to run: a component's file, a built-in plugin, or a plugin's folder with the component built of
//! it.

use std::path::{Path, PathBuf};

use tidegate_plugin_sdk::build::Project;
use tidegate_plugin_sdk::manifest::Manifest;
use tidegate_plugin_sdk::testing::Suite;
use tidegate_sandbox::{Metering, Options, Plugin, Sandbox};

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::build::failed;
use super::bytes_of;
use crate::causes::chain;
use crate::kit::project::{Files, carry_fixtures, changed_at};

/// A plugin that is to be run.
pub(super) struct Subject {
    /// As it was named.
    pub(super) name: String,
    pub(super) wasm: Vec<u8>,
    /// The component's file; nothing where it is built in.
    pub(super) file: Option<PathBuf>,
    /// The plugin's folder, where one was named.
    pub(super) folder: Option<PathBuf>,
}

impl Subject {
    /// What `name` means: a built-in plugin, else a folder, else a file. A folder's component is built first where its
    /// sources are newer, and carries the folder's fixtures.
    pub(super) fn of(name: &str, out: &Output) -> Result<Subject, Failure> {
        let folder = Path::new(name);
        if tidegate_plugins::find(name).is_some() || !folder.is_dir() {
            let file = tidegate_plugins::find(name).is_none().then(|| name.into());
            return Ok(Subject { name: name.to_owned(), wasm: bytes_of(name)?, file, folder: None });
        }
        let (file, wasm) = built(folder, out)?;
        Ok(Subject { name: name.to_owned(), wasm, file: Some(file), folder: Some(folder.to_owned()) })
    }

    /// Its fixtures: the folder's, or else those that the component carries.
    pub(super) fn suite(&self, plugin: &Plugin) -> Result<Suite, Failure> {
        match &self.folder {
            Some(folder) => Suite::load(folder).map_err(|error| Failure::of(Exit::Data, "", &error)),
            None if plugin.inspection().fixtures.is_empty() => {
                let failure = Failure::new(Exit::Data, format!("`{}` carries no fixtures", self.name));
                Err(failure.hint("`tidegate plugin build` puts those of a plugin's folder into its component"))
            }
            None => Ok(tidegate_sandbox::fixtures::embedded(plugin)),
        }
    }

    /// Has the folder's component carry the fixtures that the folder has now.
    pub(super) fn carry_fixtures(&self, out: &Output) -> Result<(), Failure> {
        let (Some(folder), Some(file)) = (&self.folder, &self.file) else { return Ok(()) };
        carried(folder, file, &self.wasm, out).map(|_| ())
    }

    /// The plugin, ready to run.
    pub(super) fn load(&self, sandbox: &Sandbox) -> Result<Plugin, Failure> {
        sandbox.load(&self.wasm).map_err(|error| {
            let failure = Failure::new(Exit::Data, format!("`{}` {}", self.name, chain(&error)));
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }
}

/// A sandbox that counts what plugins execute.
pub(super) fn metered() -> Result<Sandbox, Failure> {
    let options = Options { metering: Metering::Fuel, ..Options::default() };
    Sandbox::new(options).map_err(|error| Failure::of(Exit::Internal, "set up the sandbox", &error))
}

/// The component of a plugin's folder, and where it is; built first where it is older than its sources, or not there.
fn built(folder: &Path, out: &Output) -> Result<(PathBuf, Vec<u8>), Failure> {
    let path = folder.join("plugin.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let failure = Failure::of(Exit::NotFound, &format!("read `{}`", path.display()), &error);
        failure.hint("name a plugin's folder, a `.wasm` file or a built-in plugin; `tidegate plugin list` shows those")
    })?;
    let manifest = Manifest::parse(&text).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Data, format!("`{}` has mistakes:\n{}", path.display(), all.join("\n")))
    })?;
    let component = folder.join("target/plugin").join(format!("{}.wasm", manifest.name));
    let is_fresh = changed_at(&component).is_some_and(|time| !Files::sources(folder).is_newer_than(time));
    let wasm = match is_fresh {
        true => {
            let wasm = std::fs::read(&component)
                .map_err(|error| Failure::of(Exit::NotFound, &format!("read `{}`", component.display()), &error))?;
            carried(folder, &component, &wasm, out)?.unwrap_or(wasm)
        }
        false => {
            let project = Project::open(folder).map_err(|error| failed(&error))?;
            project.write(&mut |step| out.note(step)).map_err(|error| failed(&error))?
        }
    };
    Ok((component, wasm))
}

/// The component with the folder's fixtures, where it carried others.
fn carried(folder: &Path, component: &Path, wasm: &[u8], out: &Output) -> Result<Option<Vec<u8>>, Failure> {
    let carried = carry_fixtures(folder, component, wasm).map_err(|error| failed(&error))?;
    if carried.is_some() {
        out.note(&format!("`{}` carries the fixtures now as they are in the folder", component.display()));
    }
    Ok(carried)
}
