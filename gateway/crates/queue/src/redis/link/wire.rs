//! One connection that is made again after it was lost, with backoff. Sends nothing twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::dial::{Connection, Dialer, Purpose};
use super::place::Place;
use super::trouble::Trouble;

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A connection to a place, made at its first use and again at the first use after it was lost. After a failure it
/// fails at once for a while, so that nobody queues up in front of a server that is away.
pub(super) struct Wire {
    dialer: Arc<Dialer>,
    place: Arc<Place>,
    state: Mutex<State>,
    /// Failures since the last answer.
    failures: AtomicU32,
}

#[derive(Default)]
struct State {
    up: Option<Arc<Connection>>,
    rest: Option<(Instant, Trouble)>,
}

/// What came back, and from where.
pub(super) struct Exchange {
    pub(super) connection: Arc<Connection>,
    pub(super) answers: Vec<Value>,
}

impl Wire {
    pub(super) fn new(dialer: Arc<Dialer>, place: Arc<Place>) -> Wire {
        Wire { dialer, place, state: Mutex::default(), failures: AtomicU32::new(0) }
    }

    /// Sends a pipeline of `count` commands and gives their answers, errors of the server among them.
    ///
    /// A timeout ends the connection. Late answers could not be taken for those of another request (the driver counts
    /// them off), but a server that is stuck is better left.
    pub(super) async fn exchange(&self, pipeline: &Pipeline, count: usize) -> Result<Exchange, Trouble> {
        let connection = self.connection().await?;
        let sent = connection.requests.clone().send_packed_commands(pipeline, 0, count).await;
        match sent {
            Ok(answers) => {
                self.failures.store(0, Ordering::Relaxed);
                Ok(Exchange { connection, answers })
            }
            Err(error) => {
                let ms = self.dialer.timeouts.response.as_millis();
                let trouble = Trouble::of_exchange(&connection.node, &error, ms);
                self.retire(&connection, &trouble).await;
                Err(if self.dialer.stop.is_cancelled() { Trouble::Closed } else { trouble })
            }
        }
    }

    /// Ends the connection, if it is still in use, and rests a while.
    pub(super) async fn retire(&self, connection: &Arc<Connection>, trouble: &Trouble) {
        let mut state = self.state.lock().await;
        if state.up.as_ref().is_some_and(|up| Arc::ptr_eq(up, connection)) {
            state.up = None;
            self.rest(&mut state, trouble);
        }
        connection.shut();
    }

    async fn connection(&self) -> Result<Arc<Connection>, Trouble> {
        if self.dialer.stop.is_cancelled() {
            return Err(Trouble::Closed);
        }
        let mut state = self.state.lock().await;
        if let Some(up) = &state.up {
            if !up.ended.is_cancelled() {
                return Ok(up.clone());
            }
            // It was closed while idle, so nothing was lost with it: the next one is tried at once.
            state.up = None;
        }
        if let Some((until, why)) = &state.rest
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        match self.place.dial(&self.dialer, Purpose::Calls).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.up = Some(connection.clone());
                state.rest = None;
                Ok(connection)
            }
            Err(trouble) => {
                self.rest(&mut state, &trouble);
                Err(trouble)
            }
        }
    }

    #[cfg(test)]
    pub(super) async fn until_ended(&self) {
        let up = self.state.lock().await.up.clone();
        if let Some(up) = up {
            up.ended.cancelled().await;
        }
    }

    fn rest(&self, state: &mut State, trouble: &Trouble) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let node = match trouble {
            Trouble::Connect { .. } => trouble.clone(),
            // Whoever comes meanwhile has sent nothing.
            other => Trouble::Connect { node: self.place.to_string(), why: format!("it failed just now: {other}") },
        };
        state.rest = Some((Instant::now() + pause(failures), node));
    }
}

/// The pause after so many failures: doubling, up to a limit, with jitter so that gateways do not come all at once.
pub(super) fn pause(failures: u32) -> Duration {
    let whole = PAUSE_FIRST.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
    whole.mul_f64(rand::random_range(0.5..1.0))
}
