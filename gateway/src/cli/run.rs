//! `tidegate run`: sets up the log, waits for signals to reload and to stop, and leaves everything else to the application.

use std::io;
use std::sync::Arc;

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use super::failure::{Exit, Failure};
use super::output::{Output, Paint};
use super::{ConfigFile, Variables};
use crate::app::{self, Role, Roles, Setup, Signals};
use crate::config::{Config, Source};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// What this process does: `collect` takes events, `deliver` sends them to the platforms
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLES", default_value = "collect,deliver")]
    roles: Vec<Role>,
    /// How the log is written, to stderr; `TIDEGATE_LOG` says how much of it (`info`, `tidegate=debug`)
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Needed)?;
    log(arguments.log_format, out.paint_errors)?;
    let file = arguments.config.config.display().to_string();
    for warning in config.warnings.iter() {
        warn!("{}", warning.in_file(&file).to_string().replace('\n', "; "));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of(Exit::Internal, "start the runtime", &error))?;
    let done = runtime.block_on(until_stopped(config, arguments));
    // What has not ended by now would not end by itself.
    runtime.shutdown_background();
    done
}

/// Runs the gateway. The first signal to end ends it in order, the second at once; SIGHUP reloads.
async fn until_stopped(config: Config, arguments: &Arguments) -> Result<(), Failure> {
    let signals = Signals::default();
    let listen = |kind| signal(kind).map_err(|error| Failure::of(Exit::Internal, "listen for signals", &error));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let source = Source::new(&arguments.config.config, Arc::new(|name: &str| std::env::var(name).ok()));
    let setup = Setup { config, source: Some(source), roles: Roles::of(&arguments.roles) };
    let mut gateway = std::pin::pin!(app::run(setup, signals.clone()));
    loop {
        let signal = tokio::select! {
            done = &mut gateway => return done.map_err(|error| failure(error, &arguments.config)),
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hangup.recv() => {
                info!("SIGHUP: reading the configuration again");
                signals.reload.notify_one();
                continue;
            }
        };
        if signals.shutdown.is_cancelled() {
            warn!("{signal} came again: stopping at once, requests under way are sent again after the next start");
            return Err(Failure::said(Exit::Unavailable));
        }
        info!("{signal}: finishing what is under way, then stopping");
        signals.shutdown.cancel();
    }
}

fn failure(error: app::Error, file: &ConfigFile) -> Failure {
    match error {
        app::Error::Config(mistakes) => mistakes.named(file.config.display().to_string()).into(),
        app::Error::Store(error) => Failure::of(Exit::Unavailable, "", &error).hint(error.hint()),
        app::Error::Geo(error) => {
            Failure::of(Exit::Data, "take the database of `geo.database`", &error).hint(error.hint())
        }
        app::Error::Listen { .. } => Failure::of(Exit::Unavailable, "", &error)
            .hint("does another program, or another gateway, listen there? `[listen]` names the addresses"),
        error @ app::Error::StoreRead(_) => Failure::of(Exit::Unavailable, "", &error),
        error @ (app::Error::Sandbox(_) | app::Error::Egress(_) | app::Error::StoreFailed(_)) => {
            Failure::of(Exit::Internal, "", &error)
        }
    }
}

fn log(format: LogFormat, paint: Paint) -> Result<(), Failure> {
    let wanted = std::env::var("TIDEGATE_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::of(Exit::Usage, "read `TIDEGATE_LOG`", &error).hint("write a level, or `tidegate=debug,info`")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let log = log.with_ansi(paint == Paint::Colour);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
