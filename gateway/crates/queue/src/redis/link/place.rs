//! Finds the server to connect to: a fixed one, Sentinel's primary, or any of several. Remembers no connection.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{Value, cmd};
use tokio::time::timeout;

use super::dial::{Connection, Dialer, Purpose};
use super::trouble::Trouble;
use crate::redis::address::Node;

/// Where connections lead.
pub(super) enum Place {
    Fixed(Node),
    Primary(Sentinels),
    /// Any of these, the next one each time.
    Any(Mutex<Vec<Node>>, AtomicUsize),
}

/// The sentinels that know the primary of a service.
pub(super) struct Sentinels {
    nodes: Vec<Node>,
    service: String,
    /// The one that answered last is asked first.
    first: AtomicUsize,
}

impl Place {
    pub(super) fn primary(nodes: Vec<Node>, service: String) -> Place {
        Place::Primary(Sentinels { nodes, service, first: AtomicUsize::new(0) })
    }

    pub(super) async fn dial(&self, dialer: &Dialer, purpose: Purpose) -> Result<Connection, Trouble> {
        match self {
            Place::Fixed(node) => dialer.dial(node, purpose).await,
            Place::Primary(sentinels) => {
                // Time for one that is gone without a word, and for one that answers.
                let limit = dialer.timeouts.connect * 2;
                timeout(limit, Box::pin(sentinels.dial(dialer, purpose))).await.unwrap_or_else(|_| {
                    let why = format!("no answer within {} ms", limit.as_millis());
                    Err(Trouble::Connect { node: self.to_string(), why })
                })
            }
            Place::Any(nodes, next) => {
                let node = {
                    let nodes = nodes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    nodes.get(turn % nodes.len().max(1)).cloned()
                };
                match node {
                    Some(node) => dialer.dial(&node, purpose).await,
                    None => Err(Trouble::Odd("no node of the cluster is known".to_owned())),
                }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Fixed(node) => write!(f, "{node}"),
            Place::Primary(sentinels) => write!(f, "the primary of {}", sentinels.service),
            Place::Any(..) => f.write_str("the cluster"),
        }
    }
}

impl Sentinels {
    /// Asks one sentinel after another for the primary, and takes a server only that says it is one: a sentinel that
    /// was cut off may name a server that has been demoted.
    async fn dial(&self, dialer: &Dialer, purpose: Purpose) -> Result<Connection, Trouble> {
        let primary = self.ask(dialer).await?;
        let connected = self.connect(&primary, dialer, purpose).await;
        if connected.is_err() {
            // Another sentinel may know better.
            self.first.fetch_add(1, Ordering::Relaxed);
        }
        connected
    }

    async fn connect(&self, primary: &Node, dialer: &Dialer, purpose: Purpose) -> Result<Connection, Trouble> {
        let connection = dialer.dial(primary, purpose).await?;
        let role = connection.requests.clone().send_packed_command(&cmd("ROLE")).await;
        let ms = dialer.timeouts.response.as_millis();
        match role.map_err(|error| Trouble::of_exchange(&connection.node, &error, ms))? {
            Value::Array(parts) => match parts.first().and_then(text) {
                Some(role) if role == "master" => Ok(connection),
                role => {
                    let why = format!("Sentinel names it as primary, but its role is `{}`", role.unwrap_or_default());
                    Err(Trouble::Connect { node: connection.node.clone(), why })
                }
            },
            // Somebody who may not ask for the role will see READONLY from a replica.
            Value::ServerError(error) if error.code() == "NOPERM" => Ok(connection),
            Value::ServerError(error) => Err(Trouble::from(error)),
            other => Err(Trouble::Odd(format!("ROLE gave {other:?}"))),
        }
    }

    async fn ask(&self, dialer: &Dialer) -> Result<Node, Trouble> {
        let mut reasons = Vec::new();
        let first = self.first.load(Ordering::Relaxed);
        for turn in 0..self.nodes.len() {
            let index = first.wrapping_add(turn) % self.nodes.len();
            // The next attempt begins with another one, should this be cut short.
            self.first.store(index + 1, Ordering::Relaxed);
            match self.ask_one(&self.nodes[index], dialer).await {
                Ok(node) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(node);
                }
                Err(Trouble::Closed) => return Err(Trouble::Closed),
                Err(trouble) => reasons.push(trouble.to_string()),
            }
        }
        let node = format!("the primary of {}", self.service);
        Err(Trouble::Connect { node, why: reasons.join("; ") })
    }

    async fn ask_one(&self, sentinel: &Node, dialer: &Dialer) -> Result<Node, Trouble> {
        let connection = dialer.dial(sentinel, Purpose::Sentinel).await?;
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let answer = connection.requests.clone().send_packed_command(&question).await;
        let ms = dialer.timeouts.response.as_millis();
        match answer.map_err(|error| Trouble::of_exchange(&connection.node, &error, ms))? {
            Value::Array(parts) => {
                let host = parts.first().and_then(text);
                let port = parts.get(1).and_then(text).and_then(|port| port.parse().ok());
                match (host, port) {
                    (Some(host), Some(port)) => Ok(Node { host, port }),
                    _ => Err(Trouble::Odd(format!("`{sentinel}` gave no address"))),
                }
            }
            Value::ServerError(error) => Err(Trouble::from(error)),
            _ => Err(Trouble::Odd(format!("the sentinel `{sentinel}` knows no service `{}`", self.service))),
        }
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}
