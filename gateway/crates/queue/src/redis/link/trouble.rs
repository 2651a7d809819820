//! Why a call has no answer, in the server's own words. Decides nothing.

use redis::{ErrorKind, RedisError, ServerError};

use crate::Error;
use crate::redis::address::Node;

/// What went wrong with one call.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::redis) enum Trouble {
    /// Nothing was sent.
    #[error("could not connect to `{node}`: {why}")]
    Connect { node: String, why: String },
    /// Whether the call took effect is unknown.
    #[error("the connection to `{node}` was lost: {why}")]
    Lost { node: String, why: String },
    /// Whether the call took effect is unknown.
    #[error("`{node}` did not answer within {ms} ms")]
    Timeout { node: String, ms: u128 },
    /// The server refused, or the script failed.
    #[error("{code} {text}")]
    Server { code: String, text: String },
    /// It took effect on one server; that it would survive a crash was not confirmed.
    #[error("{0}")]
    Unconfirmed(String),
    #[error("the server answered something else: {0}")]
    Odd(String),
    #[error("the link is closed")]
    Closed,
}

impl Trouble {
    pub(super) fn of_connecting(node: &Node, error: &(dyn std::error::Error + 'static)) -> Trouble {
        Trouble::Connect { node: node.to_string(), why: chain(error) }
    }

    pub(super) fn of_login(node: &Node, error: &RedisError) -> Trouble {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Trouble::Connect { node: node.to_string(), why: "it refused the user or the password".to_owned() };
        }
        Trouble::of_connecting(node, error)
    }

    pub(super) fn of_exchange(node: &str, error: &RedisError, ms: u128) -> Trouble {
        if error.is_timeout() {
            return Trouble::Timeout { node: node.to_owned(), ms };
        }
        Trouble::Lost { node: node.to_owned(), why: chain(error) }
    }

    pub(super) fn code(&self) -> &str {
        match self {
            Trouble::Server { code, .. } => code,
            _ => "",
        }
    }

    /// Says which script failed, when one did.
    pub(super) fn locate(&mut self, script: &str, partition: u16) {
        let is_of_the_script = !self.is_unavailable();
        if let (Trouble::Server { text, .. }, true) = (self, is_of_the_script) {
            text.push_str(&format!(" (script `{script}`, partition {partition})"));
        }
    }

    /// Whether the server has no memory left for it.
    pub(in crate::redis) fn is_no_room(&self) -> bool {
        self.code() == "OOM"
    }

    /// Whether the store is away, busy or cannot write now; otherwise the call itself was wrong.
    pub(in crate::redis) fn is_unavailable(&self) -> bool {
        !matches!(self.code(), "ERR" | "WRONGTYPE" | "CROSSSLOT" | "NOPERM") && !matches!(self, Trouble::Odd(_))
    }

    /// Whether this server is the wrong one for now: a replica, or one that is starting or being stopped.
    pub(super) fn is_of_the_server(&self) -> bool {
        matches!(self.code(), "READONLY" | "LOADING" | "MASTERDOWN" | "UNBLOCKED" | "NOAUTH")
    }

    /// As the error of a queue's operation.
    pub(in crate::redis) fn into_error(self, operation: &'static str) -> Error {
        match self {
            Trouble::Closed => Error::Closed,
            other => Error::Unavailable { operation, source: Box::new(other) },
        }
    }
}

impl From<ServerError> for Trouble {
    fn from(error: ServerError) -> Trouble {
        Trouble::Server { code: error.code().to_owned(), text: error.details().unwrap_or_default().to_owned() }
    }
}

/// The error with its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
