//! `tidegate plugin build`: from a project to a component that the gateway would load.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tidegate_plugin_sdk::build::{BuildError, Project};

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, bytes, clean};
use super::super::sandbox;
use crate::permissions::{Permissions, words};
use tidegate_sandbox::{Inspection, LoadError, inspect};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Debug, Serialize)]
struct Report {
    path: PathBuf,
    size: usize,
    permissions: Permissions,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let project = Project::open(&arguments.folder).map_err(|error| failed(&error))?;
    let component = project.write(&mut |step| out.note(step)).map_err(|error| failed(&error))?;
    let inspection = inspect(&component).map_err(|error| refused(&error.into()))?;
    out.note("the sandbox compiles it and starts it once");
    sandbox()?.load(&component).map_err(|error| refused(&error))?;
    let path = relative(&project.output());
    out.data(&Report { path, size: component.len(), permissions: Permissions::from(&inspection) }, |report, paint| {
        render(report, &inspection, paint)
    });
    Ok(())
}

fn render(report: &Report, inspection: &Inspection, paint: Paint) -> String {
    let manifest = &inspection.manifest;
    let list = |items: Vec<String>| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
    let reads = manifest.reads.iter().map(|(field, read)| format!("{field} ({})", words::form(read)));
    let fact = |name: &str, value: String| format!("  {name:<12}{}", clean(&value));
    let mut lines = vec![
        paint.bold(format!("{}, {}", report.path.display(), bytes(report.size as u64))),
        fact("digest", inspection.digest.to_string()),
        fact("imports", "none: it can reach nothing outside of itself".to_owned()),
        fact("consent to", list(manifest.purposes.iter().map(words::name_of).collect())),
        fact("sees", list(reads.collect())),
    ];
    lines.extend(manifest.endpoints.values().map(|endpoint| fact("sends to", words::endpoint(endpoint))));
    lines.extend(manifest.auth.as_ref().map(|auth| fact("credentials", words::credentials(auth))));
    let limits = &manifest.limits;
    lines.push(fact("limits", format!("{} of memory, {} ms a call", limits.memory_max, limits.time_max_ms)));
    lines.join("\n")
}

/// The path as a person would write it here.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    path.strip_prefix(&here).map(Path::to_owned).unwrap_or_else(|_| path.to_owned())
}

/// A failure whose text carries its own hint.
pub(super) fn failed(error: &BuildError) -> Failure {
    let exit = match error {
        BuildError::NoProject(_) => Exit::NotFound,
        BuildError::NoTool { .. } | BuildError::NoTarget => Exit::Unavailable,
        _ => Exit::Data,
    };
    let text = crate::causes::chain(error);
    match text.rsplit_once("\nhint: ") {
        Some((what, hint)) => Failure::new(exit, what).hint(hint),
        None => Failure::new(exit, text),
    }
}

fn refused(error: &LoadError) -> Failure {
    let failure = Failure::new(Exit::Data, format!("it builds, but the gateway would not load it: it {error}"));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
