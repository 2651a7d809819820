//! `tidegate reload`: asks the running gateway to read its configuration again, and says what came of it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::ConfigFile;
use super::failure::{Exit, Failure};
use super::output::{Format, Output, plural};
use crate::config::{Config, Mistake, Mistakes, Secret, Severity, Surroundings};

/// How long a reload may take: a plugin of a heavy language is compiled for a while.
const ANSWER_MAX: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Where the gateway's admin listener is reached, if not at the address in the configuration
    #[arg(long)]
    url: Option<url::Url>,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let (address, token) = admin(&arguments.config)?;
    let url = match &arguments.url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", super::local(address)),
    };
    let request = super::client(ANSWER_MAX)?.post(format!("{url}/api/reload")).bearer_auth(token.reveal());
    let answer = request.send().await.map_err(|error| {
        let failure = Failure::of(Exit::Unavailable, "ask for the reload", &error.without_url());
        failure.hint(format!("is the gateway running, with its admin listener at {url}? `--url` names another address"))
    })?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| Failure::of(Exit::Unavailable, "read the answer", &error))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    match status {
        200 => {
            out.data(&answer, |answer, paint| format!("{} {}", paint.green("reloaded"), told(&answer["reload"])));
            Ok(())
        }
        422 => Err(refused(&answer, out)),
        401 => Err(Failure::new(Exit::Usage, "the gateway does not take the admin token of this configuration")
            .hint("it keeps the one that it was started with: a new one needs a restart")),
        status => {
            let said = answer["error"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
            Err(Failure::new(Exit::Unavailable, format!("the gateway answered {status}: {said}")))
        }
    }
}

/// Where to ask, and the token: by a file in which everything else may be wrong, for the gateway is to say that.
fn admin(file: &ConfigFile) -> Result<(SocketAddr, Secret), Failure> {
    let name = file.config.display().to_string();
    let text = file.text()?;
    let base = file.config.parent().unwrap_or(Path::new(""));
    let surroundings = Surroundings { base, variables: &|name| std::env::var(name).ok(), built_in: &[] };
    Config::parse_admin(&text, &surroundings).map_err(|mistakes| mistakes.named(name).into())
}

/// What is wrong, in the words that `tidegate check` would have for it.
fn refused(answer: &Value, out: &Output) -> Failure {
    let reload = &answer["reload"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let problem = |problem: &Value| {
        let line = problem["line"].as_u64().and_then(|line| usize::try_from(line).ok());
        let make = if problem["severity"] == "warning" { Mistake::warning } else { Mistake::error };
        make(line, text(&problem["what"])).hint(text(&problem["hint"]))
    };
    let problems = reload["problems"].as_array().into_iter().flatten().map(problem);
    let mistakes = Mistakes::new(problems.collect()).named(text(&reload["file"]));
    if out.format == Format::Json {
        out.data(answer, |_, _| String::new());
        return Failure::said(Exit::Usage);
    }
    let (errors, warnings) = (mistakes.count(Severity::Error), mistakes.count(Severity::Warning));
    out.mistakes(&mistakes);
    let counts = format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    out.note(&format!("\n{}: {counts}; nothing was reloaded, and what ran before goes on", mistakes.file));
    Failure::said(Exit::Usage)
}

/// What a reload changed, in a line.
fn told(reload: &Value) -> String {
    let changes = &reload["changes"];
    let names = |kind: &str| {
        let names: Vec<&str> = changes[kind].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        (!names.is_empty()).then(|| format!("{kind} {}", names.join(", ")))
    };
    let mut parts: Vec<String> = ["added", "changed", "removed"].into_iter().filter_map(names).collect();
    parts.push(format!("{} as before", changes["unchanged"].as_u64().unwrap_or(0)));
    format!("in {} ms: {}", reload["took_ms"].as_u64().unwrap_or(0), parts.join("; "))
}
