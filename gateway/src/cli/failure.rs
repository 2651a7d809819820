//! How a command ends when it does not succeed: what to say, and the exit code that scripts see.

use std::error::Error;
use std::process::ExitCode;

use crate::causes::chain;
use crate::config::Mistakes;

/// The exit codes: after `sysexits.h`, but for a plain no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// 1: what was asked has been found out, and the answer is no.
    No,
    /// 64: the command line or the configuration is wrong.
    Usage,
    /// 65: something that was read or sent is wrong in itself.
    Data,
    /// 66: what was asked for is not there.
    NotFound,
    /// 69: the gateway, the store or a platform does not answer.
    Unavailable,
    /// 70: nothing that the person who called it could have done otherwise.
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::No => 1,
            Exit::Usage => 64,
            Exit::Data => 65,
            Exit::NotFound => 66,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
        })
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) reason: Reason,
}

/// What there is to say.
#[derive(Debug)]
pub(super) enum Reason {
    /// What failed, and what to do about it.
    Sentence { what: String, hint: Option<String> },
    /// What is wrong in the configuration.
    Mistakes(Mistakes),
    /// Everything has been said already, as data.
    Said,
}

impl Failure {
    pub(super) fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure { exit, reason: Reason::Sentence { what: what.into(), hint: None } }
    }

    /// An operation that failed, with the whole chain of its causes.
    pub(super) fn of(exit: Exit, operation: &str, error: &dyn Error) -> Failure {
        let what = chain(error);
        Failure::new(exit, if operation.is_empty() { what } else { format!("{operation}: {what}") })
    }

    /// A command that printed all there is to know.
    pub(super) fn said(exit: Exit) -> Failure {
        Failure { exit, reason: Reason::Said }
    }

    /// What failed, where that is a sentence.
    pub(super) fn what(&self) -> Option<&str> {
        match &self.reason {
            Reason::Sentence { what, .. } => Some(what),
            Reason::Mistakes(_) | Reason::Said => None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub(super) fn hint(mut self, text: impl Into<String>) -> Failure {
        if let Reason::Sentence { hint, .. } = &mut self.reason {
            *hint = Some(text.into());
        }
        self
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Failure {
        Failure { exit: Exit::Usage, reason: Reason::Mistakes(mistakes) }
    }
}
