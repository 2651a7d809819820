//! `tidegate plugin new`: a plugin's project, to begin with.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tidegate_plugin_sdk::build::Language;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint};
use crate::scaffold::{self, Error};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The plugin's name, and its folder's: lower-case letters, digits and hyphens
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is written in
    #[arg(long, value_enum)]
    lang: Lang,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lang {
    Rust,
    Js,
    Python,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Language {
        match lang {
            Lang::Rust => Language::Rust,
            Lang::Js => Language::JavaScript,
            Lang::Python => Language::Python,
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    folder: String,
    files: Vec<PathBuf>,
    #[serde(skip)]
    language: Language,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let folder = Path::new(&arguments.name);
    let language = Language::from(arguments.lang);
    let files = scaffold::create(folder, &arguments.name, language).map_err(|error| {
        let exit = if matches!(error, Error::Write { .. }) { Exit::Unavailable } else { Exit::Usage };
        let failure = Failure::of(exit, "", &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    out.data(&Report { folder: arguments.name.clone(), files, language }, render);
    Ok(())
}

fn render(report: &Report, paint: Paint) -> String {
    let (source, test) = match report.language {
        Language::Rust => ("src/lib.rs", "cargo test"),
        Language::JavaScript => ("src/plugin.js", "npm test"),
        Language::Python => ("src/plugin.py", "python3 -m unittest"),
    };
    let line = |path: &str, what: &str| format!("  {path:<15}{what}");
    let run = |command: &str, what: &str| format!("  {command:<24}{}", paint.dim(what));
    [
        paint.bold(format!("{}/ is a plugin that builds", report.folder)),
        line("plugin.toml", "what it may see, where its requests may go, under which consent"),
        line(source, "transform and classify"),
        line("fixtures/", "events with the requests that they must give, and answers with their verdicts"),
        String::new(),
        paint.bold("Next"),
        run(&format!("cd {}", report.folder), ""),
        run(test, "its tests, natively"),
        run("tidegate plugin build", "the component; the first time it installs what it builds with"),
    ]
    .map(|line| line.trim_end().to_owned())
    .join("\n")
}
