//! The command line: what a person asks for, in words, and what they get back, with an exit code that scripts can use.
//!
//! Owns arguments, layout and exit codes. What the commands do is done by the same functions as the admin listener's.

mod addresses;
mod check;
mod destination;
mod dlq;
mod doctor;
mod events;
mod failure;
mod ledger;
mod output;
mod plugin;
mod reload;
mod run;
mod send;
mod snippet;
mod store;
mod trace;

use std::ffi::OsString;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use tidegate_sandbox::{Options, Sandbox};

use failure::{Exit, Failure};
use output::{Format, Output};

use crate::config::{Config, Site, UNSET, suggestion};

/// First-party events, with delivery that you can prove.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until it is told to stop
    Run(run::Arguments),
    /// Say everything that is wrong with a configuration
    Check(check::Arguments),
    /// Let the running gateway read its configuration and plugins again; a bad one changes nothing
    Reload(reload::Arguments),
    /// Send a test event to the running gateway, and say what became of it
    Send(send::Arguments),
    /// Try a destination out, or switch it off and on
    #[command(subcommand)]
    Destination(destination::Command),
    /// Print the lines that a site's pages need
    Snippet(snippet::Arguments),
    /// Look at a site from outside, and say how long its cookies live and what to change
    Doctor(doctor::Arguments),
    /// Explain events
    #[command(subcommand)]
    Events(events::Command),
    /// Look after the dead letters: what could not be delivered
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Say what has left the gateway, and verify that nothing of that was changed
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Move, copy and describe the store
    #[command(subcommand)]
    Store(store::Command),
    /// Look into destinations' plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
}

/// `--config`, which nearly every command takes.
#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "tidegate.toml")]
    config: PathBuf,
}

/// Runs the command that `arguments` name; the first is the program's own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors too: they go to stdout and are none.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let out = Output::new(if cli.json { Format::Json } else { Format::Human });
    let done = match cli.command {
        Command::Run(arguments) => run::run(&arguments, &out),
        Command::Check(arguments) => check::run(&arguments, &out),
        Command::Reload(arguments) => wait(reload::run(&arguments, &out)),
        Command::Send(arguments) => wait(send::run(&arguments, &out)),
        Command::Snippet(arguments) => snippet::run(&arguments, &out),
        Command::Doctor(arguments) => wait(doctor::run(&arguments, &out)),
        Command::Destination(command) => wait(destination::run(&command, &out)),
        Command::Events(command) => wait(events::run(&command, &out)),
        Command::Dlq(command) => wait(dlq::run(&command, &out)),
        Command::Ledger(command) => wait(ledger::run(&command, &out)),
        Command::Store(command) => wait(store::run(&command, &out)),
        Command::Plugin(command) => wait(plugin::run(&command, &out)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Runs a command that waits for something, on this thread.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::of(Exit::Internal, "start the runtime", &error))?.block_on(command)
}

/// A sandbox without a cache: whoever calls the command line may not be the gateway's user, and its cache is only that
/// user's.
fn sandbox() -> Result<Sandbox, Failure> {
    let options = Options { cache_dir: None, ..Options::default() };
    Sandbox::new(options).map_err(|error| Failure::of(Exit::Internal, "set up the sandbox", &error))
}

/// Whether variables that are not set are mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variables {
    /// They are: the gateway itself needs every secret.
    Needed,
    /// They are not: who looks at dead letters does not need the platforms' credentials.
    Optional,
}

/// The site of a name, or the only one.
fn site<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Site, Failure> {
    let names = || config.sites.iter().map(|site| site.name.as_str());
    let known = || names().collect::<Vec<_>>().join(", ");
    match (name, config.sites.as_slice()) {
        (Some(name), _) => config.site(name).ok_or_else(|| {
            let failure = Failure::new(Exit::NotFound, format!("there is no site `{name}`"));
            failure.hint(suggestion(name, names()))
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::new(Exit::Usage, "which site?").hint(format!("name one of {}", known()))),
    }
}

/// A key that the site's pages may send with, unless all stand in variables that are not set here.
fn write_key(site: &Site) -> Option<&str> {
    site.write_keys.iter().map(String::as_str).find(|key| !key.starts_with(UNSET))
}

/// Where a listener is reached from this machine.
fn local(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// What asks the running gateway, and waits so long for an answer.
fn client(answer_max: Duration) -> Result<reqwest::Client, Failure> {
    let builder = reqwest::Client::builder().user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    let builder = builder.timeout(answer_max).redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.build().map_err(|error| Failure::of(Exit::Internal, "set up HTTP", &error))
}

impl ConfigFile {
    fn text(&self) -> Result<String, Failure> {
        std::fs::read_to_string(&self.config).map_err(|error| {
            let name = self.config.display();
            let failure = Failure::of(Exit::NotFound, &format!("read the configuration `{name}`"), &error);
            failure.hint("name the file: `--config FILE`")
        })
    }

    fn load(&self, needed: Variables) -> Result<Config, Failure> {
        let name = self.config.display().to_string();
        let text = self.text()?;
        let base = self.config.parent().unwrap_or(Path::new(""));
        let variables = |name: &str| match needed {
            Variables::Needed => std::env::var(name).ok(),
            Variables::Optional => std::env::var(name).ok().or_else(|| Some(format!("{UNSET}{name}"))),
        };
        Config::parse(&text, base, &variables).map_err(|mistakes| mistakes.named(name).into())
    }
}
