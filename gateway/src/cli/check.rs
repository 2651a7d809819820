//! `tidegate check`: everything that is wrong with a configuration, at once, with lines and hints.

use serde::Serialize;

use super::failure::{Exit, Failure, Reason};
use super::output::{Format, Output, plural};
use super::{ConfigFile, Variables};
use crate::config::{Config, Mistake, Mistakes, Severity};
use crate::destination;
use crate::permissions::gate::Approval;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// What a check found, for machines.
#[derive(Debug, Serialize)]
struct Report {
    errors: usize,
    warnings: usize,
    #[serde(flatten)]
    mistakes: Mistakes,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let file = arguments.config.config.display().to_string();
    let (summary, mistakes) = match arguments.config.load(Variables::Needed) {
        Ok(config) => (summary(&config), all(&config)?.named(&file)),
        Err(Failure { reason: Reason::Mistakes(mistakes), .. }) => (String::new(), mistakes),
        Err(failure) => return Err(failure),
    };
    let errors = mistakes.count(Severity::Error);
    let warnings = mistakes.count(Severity::Warning);
    match out.format {
        Format::Json => out.data(&Report { errors, warnings, mistakes }, |_, _| String::new()),
        Format::Human => {
            if !mistakes.is_empty() {
                out.mistakes(&mistakes);
            }
            match errors {
                0 => out.text(&format!("{} {file}: {summary}", out.paint.green("ok"))),
                _ => out.note(&format!(
                    "\n{file}: {}",
                    format_args!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
                )),
            }
        }
    }
    if errors == 0 { Ok(()) } else { Err(Failure::said(Exit::Usage)) }
}

/// What is left to find once the file itself is in order: plugins, and what they say of their configuration.
fn all(config: &Config) -> Result<Mistakes, Failure> {
    let sandbox = super::sandbox()?;
    let mut mistakes = config.warnings.clone();
    match destination::prepare(config, &sandbox) {
        Ok(destinations) => {
            let unapproved = destinations.iter().filter(|one| matches!(one.approval, Approval::Unapproved { .. }));
            for one in unapproved {
                let configured = config.destinations.iter().filter(|configured| configured.name == one.name);
                configured
                    .map(|configured| destination::unapproved(configured, &one.approval, Mistake::warning))
                    .for_each(|mistake| mistakes.push(mistake));
            }
        }
        Err(mut found) => mistakes.append(&mut found),
    }
    Ok(mistakes)
}

fn summary(config: &Config) -> String {
    format!("{}, {}", plural(config.sites.len(), "site"), plural(config.destinations.len(), "destination"))
}
