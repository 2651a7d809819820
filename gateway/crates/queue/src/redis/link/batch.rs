//! Makes one pipeline of several requests, and takes its answers apart. Does no I/O.

use redis::{Cmd, Pipeline, Value, cmd};

use super::trouble::Trouble;
use super::{Call, Confirm, Read};
use crate::redis::script::Script;

/// What one request came to.
pub(super) type Answer = Result<Value, Trouble>;

/// One command with what is needed to route and repeat it.
pub(super) struct Request {
    pub(super) command: Cmd,
    pub(super) script: Option<&'static Script>,
    /// For messages.
    partition: u16,
    /// The first key: it tells the slot.
    pub(super) key: Vec<u8>,
}

/// Requests that are sent together.
pub(super) struct Batch<'a> {
    pub(super) requests: Vec<&'a Request>,
    /// Scripts that the server has to learn first.
    pub(super) load: Vec<&'static Script>,
    pub(super) frame: Frame,
    pub(super) confirm: Confirm,
    /// How long the server may wait for the confirmation.
    pub(super) confirm_ms: u64,
}

/// What is around the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    Nothing,
    /// `MULTI` and `EXEC`: one step for the server, and one write to its disk.
    Transaction,
    /// `ASKING` before each: the slot is on its way to this node.
    Asking,
}

impl From<Call> for Request {
    fn from(call: Call) -> Request {
        let mut command = cmd("EVALSHA");
        command.arg(&call.script.sha).arg(call.keys.len());
        for part in call.keys.iter().chain(&call.args) {
            command.arg(part.as_slice());
        }
        let key = call.keys.into_iter().next().unwrap_or_default();
        Request { command, script: Some(call.script), partition: call.partition, key }
    }
}

impl From<Read> for Request {
    fn from(read: Read) -> Request {
        Request { command: read.cmd, script: None, partition: 0, key: read.key }
    }
}

impl Batch<'_> {
    /// The pipeline, and how many answers it gets.
    pub(super) fn encode(&self) -> (Pipeline, usize) {
        let mut pipeline = Pipeline::with_capacity(self.requests.len() * 2 + self.load.len() + 3);
        for script in &self.load {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(&script.text);
        }
        if self.frame == Frame::Transaction {
            pipeline.cmd("MULTI");
        }
        for request in &self.requests {
            if self.frame == Frame::Asking {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(request.command.clone());
        }
        if self.frame == Frame::Transaction {
            pipeline.cmd("EXEC");
        }
        match self.confirm {
            Confirm::Nothing => {}
            Confirm::Replicas => {
                pipeline.cmd("WAIT").arg(1).arg(self.confirm_ms);
            }
            Confirm::Disk => {
                pipeline.cmd("WAITAOF").arg(1).arg(0).arg(self.confirm_ms);
            }
        }
        let count = pipeline.len();
        (pipeline, count)
    }

    /// One answer for each request, in their order.
    pub(super) fn decode(&self, values: Vec<Value>) -> Vec<Answer> {
        let mut values = values.into_iter();
        let loaded: Vec<Answer> = values.by_ref().take(self.load.len()).map(answer).collect();
        let mut answers = match self.frame {
            Frame::Transaction => self.decode_transaction(&mut values),
            Frame::Nothing => values.by_ref().take(self.requests.len()).map(answer).collect(),
            Frame::Asking => {
                let mut every_second = Vec::with_capacity(self.requests.len());
                for _ in &self.requests {
                    values.next();
                    every_second.push(values.next().map_or_else(missing, answer));
                }
                every_second
            }
        };
        answers.resize_with(self.requests.len(), missing);
        // A script that the server did not learn has a better reason than that it is not known.
        for (request, answer) in self.requests.iter().zip(&mut answers) {
            let position = self.load.iter().position(|script| is_same(request.script, script));
            if is_unknown_script(answer)
                && let Some(Err(trouble)) = position.and_then(|index| loaded.get(index))
            {
                *answer = Err(trouble.clone());
            }
            if let (Some(script), Err(trouble)) = (request.script, answer) {
                trouble.locate(script.name, request.partition);
            }
        }
        if let Err(trouble) = self.decode_confirmation(values.next()) {
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(trouble.clone());
            }
        }
        answers
    }

    fn decode_transaction(&self, values: &mut impl Iterator<Item = Value>) -> Vec<Answer> {
        let queued: Vec<Answer> = values.by_ref().take(self.requests.len() + 1).map(answer).collect();
        let trouble = match values.next().map_or_else(missing, answer) {
            Ok(Value::Array(values)) if values.len() == self.requests.len() => {
                return values.into_iter().map(answer).collect();
            }
            Ok(other) => Trouble::Odd(format!("EXEC gave {other:?}")),
            // EXECABORT says only that something was refused before: that is the cause.
            Err(aborted) => queued.into_iter().find_map(Result::err).unwrap_or(aborted),
        };
        self.requests.iter().map(|_| Err(trouble.clone())).collect()
    }

    fn decode_confirmation(&self, value: Option<Value>) -> Result<(), Trouble> {
        let ms = self.confirm_ms;
        match (self.confirm, value.map_or_else(missing, answer)) {
            (Confirm::Nothing, _) => Ok(()),
            (_, Err(trouble)) => Err(trouble),
            (Confirm::Replicas, Ok(Value::Int(count))) if count >= 1 => Ok(()),
            (Confirm::Replicas, Ok(Value::Int(count))) => {
                Err(Trouble::Unconfirmed(format!("only {count} of 1 replicas confirmed in {ms} ms")))
            }
            (Confirm::Disk, Ok(Value::Array(counts))) => match counts.first() {
                Some(Value::Int(local)) if *local >= 1 => Ok(()),
                _ => Err(Trouble::Unconfirmed(format!("the disk did not confirm in {ms} ms"))),
            },
            (_, Ok(other)) => Err(Trouble::Odd(format!("the confirmation was {other:?}"))),
        }
    }
}

/// Whether the server does not know the request's script.
pub(super) fn is_unknown_script(answer: &Answer) -> bool {
    answer.as_ref().is_err_and(|trouble| trouble.code() == "NOSCRIPT")
}

/// Whether a server without memory refused what it would have taken outside of a transaction.
pub(super) fn is_refused_room(request: &Request, answer: &Answer) -> bool {
    request.script.is_some_and(Script::needs_no_room) && answer.as_ref().is_err_and(Trouble::is_no_room)
}

/// The scripts of these requests, each once.
pub(super) fn scripts<'a>(requests: impl Iterator<Item = &'a Request>) -> Vec<&'static Script> {
    let mut scripts: Vec<&'static Script> = Vec::new();
    for script in requests.filter_map(|request| request.script) {
        if !scripts.iter().any(|known| known.sha == script.sha) {
            scripts.push(script);
        }
    }
    scripts
}

fn is_same(one: Option<&'static Script>, other: &Script) -> bool {
    one.is_some_and(|one| one.sha == other.sha)
}

/// An error of the server is an answer too.
pub(super) fn answer(value: Value) -> Answer {
    match value {
        Value::ServerError(error) => Err(Trouble::from(error)),
        other => Ok(other),
    }
}

fn missing() -> Answer {
    Err(Trouble::Odd("an answer is missing".to_owned()))
}
