//! `tidegate send`: a test event, sent as a real client would, and what became of it.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tidegate_event::Level;
use tidegate_queue::Queue;

use super::addresses::Addresses;
use super::failure::{Exit, Failure};
use super::output::{Format, Output, time};
use super::{ConfigFile, Variables, store, trace};
use crate::admin::ops;
use crate::admin::view::{Outcome, Trace};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Site, UNSET, suggestion};

/// How often the store is asked what became of the event.
const POLL: Duration = Duration::from_millis(200);
/// How long the gateway may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// The site whose event it is; the first one by default
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// The event's name
    #[arg(long, value_name = "NAME", default_value = "page_view")]
    event: String,
    /// The event's properties, a JSON object such as '{"order_value": 149.99, "currency": "EUR"}'
    #[arg(long, value_name = "JSON", value_parser = properties, default_value = "{}")]
    properties: Map<String, Value>,
    /// The visitor's consent: none, analytics or marketing
    #[arg(long, value_name = "LEVEL", value_parser = level, default_value = "marketing")]
    consent: Level,
    /// The visitor's e-mail address, by which a platform may know a customer; empty for none
    #[arg(long, value_name = "ADDRESS", default_value = "test.customer@example.com")]
    user_email: String,
    /// How many seconds to wait for the deliveries
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    wait: u64,
    /// Where the gateway is reached, if not at its own address
    #[arg(long)]
    url: Option<url::Url>,
}

/// What was sent, what was answered, and what became of it.
#[derive(Debug, Serialize)]
struct Sent {
    id: String,
    url: String,
    status: u16,
    answer: Value,
    trace: Option<Trace>,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let site = site(&config, arguments.site.as_deref())?;
    let mut sent = post(arguments, &config, site).await?;
    if !(200..300).contains(&sent.status) {
        if out.format == Format::Json {
            out.data(&sent, |_, _| String::new());
        }
        return Err(refusal(&sent));
    }
    out.note(&format!("accepted {} by {}", sent.id, sent.url));
    sent.trace = follow(arguments, &config, &sent.id).await?;
    let ended = ended(&sent);
    out.data(&sent, |sent, paint| match &sent.trace {
        Some(trace) => trace::render(trace, &Addresses::of(&config), paint),
        None => "nothing is known of it yet".to_owned(),
    });
    ended
}

fn site<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Site, Failure> {
    let Some(name) = name else {
        return config.sites.first().ok_or_else(|| Failure::new(Exit::Usage, "the configuration has no site"));
    };
    config.site(name).ok_or_else(|| {
        let names = config.sites.iter().map(|site| site.name.as_str());
        Failure::new(Exit::Usage, format!("unknown site `{name}`")).hint(suggestion(name, names))
    })
}

/// The key that a client of the site would have: a backend's, or else a browser's.
fn key(site: &Site) -> Result<&str, Failure> {
    let keys = site.api_keys.iter().map(|key| key.reveal()).chain(site.write_keys.iter().map(String::as_str));
    keys.into_iter().find(|key| !key.starts_with(UNSET)).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format!("no key of site `{}` is known here", site.name));
        failure.hint("set the variables that its `api_keys` are taken from, or add a key to `write_keys`")
    })
}

async fn post(arguments: &Arguments, config: &Config, site: &Site) -> Result<Sent, Failure> {
    let url = match &arguments.url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", super::local(config.listen.http)),
    };
    let url = format!("{url}/v1/events");
    let id = SystemClock.new_id().to_string();
    let request = super::client(ANSWER_MAX)?
        .post(&url)
        .header("Authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", key(site)?))))
        .header("Content-Type", "application/json")
        .body(body(arguments, site, &id, SystemClock.now_ms()).to_string());
    let answer = request.send().await.map_err(|error| {
        let failure = Failure::of(Exit::Unavailable, "send the event", &error.without_url());
        failure.hint(format!("is a gateway that collects running at {url}? `tidegate run` starts it"))
    })?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| Failure::of(Exit::Unavailable, "read the answer", &error))?;
    let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Sent { id, url, status, answer, trace: None })
}

fn body(arguments: &Arguments, site: &Site, id: &str, now_ms: u64) -> Value {
    let mut body = json!({
        "event": arguments.event,
        "id": id,
        "timestamp": time(now_ms),
        "anonymous_id": SystemClock.new_id(),
        "consent": arguments.consent.as_str(),
        "properties": arguments.properties,
        "client": { "user_agent": concat!("tidegate-send/", env!("CARGO_PKG_VERSION")) },
    });
    if let Some(origin) = site.origins.first() {
        body["page"] = json!({ "url": format!("{origin}/"), "title": "tidegate send" });
    }
    if !arguments.user_email.is_empty() {
        body["user"] = json!({ "email": arguments.user_email });
    }
    body
}

/// Asks the store what became of the event, until nothing of it waits or the time is over.
async fn follow(arguments: &Arguments, config: &Config, id: &str) -> Result<Option<Trace>, Failure> {
    let queue = store::open(config).await?;
    let rounds = arguments.wait * 1_000 / POLL.as_millis() as u64;
    let mut trace = latest(&*queue, id).await?;
    for _ in 0..rounds {
        if trace.as_ref().is_some_and(|trace| trace.outcome != Outcome::Waiting) {
            break;
        }
        tokio::time::sleep(POLL).await;
        trace = latest(&*queue, id).await?;
    }
    Ok(trace)
}

async fn latest(queue: &dyn Queue, id: &str) -> Result<Option<Trace>, Failure> {
    Ok(ops::trace(queue, id).await?.into_iter().next())
}

fn ended(sent: &Sent) -> Result<(), Failure> {
    match sent.trace.as_ref().map(|trace| trace.outcome) {
        Some(Outcome::Dead | Outcome::Refused) => Err(Failure::said(Exit::Data)),
        Some(Outcome::Delivered | Outcome::Cancelled | Outcome::Dropped | Outcome::Duplicate) => Ok(()),
        Some(Outcome::Waiting) | None => {
            let failure = Failure::new(Exit::Unavailable, "the event still waits for a destination");
            Err(failure.hint(format!("`tidegate events show {}` says later what became of it", sent.id)))
        }
    }
}

/// What the gateway said against the event, in its own words.
fn refusal(sent: &Sent) -> Failure {
    let messages = sent.answer["errors"].as_array().into_iter().flatten().map(|error| &error["message"]);
    let said = messages.chain([&sent.answer["error"], &sent.answer]).find_map(Value::as_str);
    let said = said.map_or_else(|| sent.answer.to_string(), str::to_owned);
    let failure = Failure::new(Exit::Data, format!("the gateway answered {}: {said}", sent.status));
    match sent.status {
        401 | 403 => Failure { exit: Exit::Usage, ..failure }.hint("is it running with the same configuration?"),
        429 | 503 => Failure { exit: Exit::Unavailable, ..failure }.hint("wait a while, and send it again"),
        _ => failure,
    }
}

fn properties(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(properties)) => Ok(properties),
        Ok(_) => Err("has to be a JSON object".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| "has to be `none`, `analytics` or `marketing`".to_owned())
}
