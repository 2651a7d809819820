//! Requests to one server: the only one, or the primary that Sentinel names.

use std::sync::Arc;

use redis::{Cmd, Pipeline};

use super::batch::{Answer, Batch, Frame, Request, answer, is_refused_room, is_unknown_script, scripts};
use super::dial::Dialer;
use super::place::Place;
use super::trouble::Trouble;
use super::wire::Wire;
use super::{Confirm, Lane, confirm_ms};

/// One server, with a connection a lane.
pub(super) struct One {
    dialer: Arc<Dialer>,
    wires: [Wire; Lane::COUNT],
}

impl One {
    pub(super) fn new(dialer: Arc<Dialer>, place: Place) -> One {
        let place = Arc::new(place);
        let wires = std::array::from_fn(|_| Wire::new(dialer.clone(), place.clone()));
        One { dialer, wires }
    }

    /// Sends all requests at once; several calls of scripts in one transaction. Scripts that the server does not know
    /// are loaded, and only their calls are sent again: within a transaction each failed alone. A server without memory
    /// refuses every transaction, whatever is in it: calls that it takes alone are sent again without one.
    pub(super) async fn run(&self, lane: Lane, requests: &[Request], confirm: Confirm) -> Vec<Answer> {
        let all: Vec<&Request> = requests.iter().collect();
        let mut answers = self.send(lane, self.batch(all, confirm)).await;
        let refused: Vec<usize> =
            (0..answers.len()).filter(|index| is_refused_room(&requests[*index], &answers[*index])).collect();
        if !refused.is_empty() {
            let mut batch = self.batch(refused.iter().map(|index| &requests[*index]).collect(), confirm);
            batch.frame = Frame::Nothing;
            let later = self.send(lane, batch).await;
            for (index, answer) in refused.iter().zip(later) {
                answers[*index] = answer;
            }
        }
        let again: Vec<usize> = (0..answers.len()).filter(|index| is_unknown_script(&answers[*index])).collect();
        if !again.is_empty() {
            let mut batch = self.batch(again.iter().map(|index| &requests[*index]).collect(), confirm);
            batch.load = scripts(batch.requests.iter().copied());
            if !refused.is_empty() {
                batch.frame = Frame::Nothing;
            }
            let later = self.send(lane, batch).await;
            for (index, answer) in again.into_iter().zip(later) {
                answers[index] = answer;
            }
        }
        answers
    }

    /// Asks plain commands, and gives the server's address with the answers.
    pub(super) async fn ask(&self, commands: &[Cmd]) -> Result<(String, Vec<Answer>), Trouble> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let exchange = Box::pin(self.wires[Lane::Read as usize].exchange(&pipeline, commands.len())).await?;
        Ok((exchange.connection.node.clone(), exchange.answers.into_iter().map(answer).collect()))
    }

    fn batch<'a>(&self, requests: Vec<&'a Request>, confirm: Confirm) -> Batch<'a> {
        let scripts = requests.iter().filter(|request| request.script.is_some()).count();
        let frame = if scripts > 1 { Frame::Transaction } else { Frame::Nothing };
        Batch { requests, load: Vec::new(), frame, confirm, confirm_ms: confirm_ms(&self.dialer) }
    }

    async fn send(&self, lane: Lane, batch: Batch<'_>) -> Vec<Answer> {
        if batch.requests.is_empty() {
            return Vec::new();
        }
        let wire = &self.wires[lane as usize];
        let (pipeline, count) = batch.encode();
        let exchange = match Box::pin(wire.exchange(&pipeline, count)).await {
            Ok(exchange) => exchange,
            Err(trouble) => return batch.requests.iter().map(|_| Err(trouble.clone())).collect(),
        };
        let answers = batch.decode(exchange.answers);
        let wrong =
            answers.iter().filter_map(|answer| answer.as_ref().err()).find(|trouble| trouble.is_of_the_server());
        if let Some(trouble) = wrong {
            wire.retire(&exchange.connection, trouble).await;
        }
        answers
    }

    /// Waits until a lane's connection has ended.
    #[cfg(test)]
    pub(super) async fn until_ended(&self, lane: Lane) {
        self.wires[lane as usize].until_ended().await;
    }
}
