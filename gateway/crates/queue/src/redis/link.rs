//! Connections to one server, to Sentinel's primary or to a cluster. Runs scripts and reads; reconnects with backoff.
//! Knows nothing of what is stored.
//!
//! - [`dial`] opens a connection, [`place`] finds where to, [`wire`] makes it again after a loss.
//! - [`batch`] makes one pipeline of several calls; [`one`] sends it to one server, [`cluster`] to the owners of the
//!   [`slots`].
//! - [`listen`] hears what is published. [`trouble`] says why there is no answer.
//!
//! Nothing is sent twice but what the server itself refused to begin: a script that it does not know, a slot that it
//! does not own. After a lost connection or a late answer the outcome is unknown, and the caller is told so.

mod batch;
mod cluster;
mod dial;
mod listen;
mod one;
mod place;
mod slots;
mod trouble;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use redis::{Cmd, Value, cmd};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use self::batch::{Answer, Request};
use self::cluster::Cluster;
use self::dial::Dialer;
use self::one::One;
use self::place::Place;
pub(super) use self::trouble::Trouble;
use super::address::{Address, Kind};
use super::script::Script;
use super::{OpenError, Timeouts};

/// A link to a store. Clones share its connections, which end with the last of them.
#[derive(Clone)]
pub(super) struct Link {
    inner: Arc<Inner>,
}

/// One run of a script. All keys are of the partition's hash tag.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) script: &'static Script,
    /// For messages.
    pub(super) partition: u16,
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) args: Vec<Vec<u8>>,
}

/// A plain command that reads.
#[derive(Debug)]
pub(super) struct Read {
    /// A key of the partition, to know which node to ask.
    pub(super) key: Vec<u8>,
    pub(super) cmd: Cmd,
}

/// Which connection is used: a confirmation on one, or a large answer, holds up nobody on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Commit,
    Work,
    Read,
}

/// What has to confirm calls before they count. Without it all of them are [`Trouble::Unconfirmed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    Nothing,
    /// One replica: `WAIT`.
    Replicas,
    /// The primary's own disk: `WAITAOF`.
    Disk,
}

/// Whether all partitions are on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    Cluster,
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Message(Vec<u8>),
    /// From here on messages are heard; what was published before may have been missed.
    Gap,
}

struct Inner {
    dialer: Arc<Dialer>,
    way: Way,
    ears: Arc<Place>,
    _stop_on_drop: DropGuard,
}

enum Way {
    One(Box<One>),
    Cluster(Box<Cluster>),
}

impl Lane {
    const COUNT: usize = 3;
}

impl Link {
    /// Connects within the time to connect. Later losses are mended at the next use.
    pub(super) async fn connect(
        address: &Address,
        ca_file: Option<&Path>,
        timeouts: Timeouts,
    ) -> Result<Link, OpenError> {
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Unreachable {
            address: address.to_string(),
            source,
        };
        let dialer = Arc::new(Dialer::new(address, ca_file, timeouts).map_err(|error| unreachable(Box::new(error)))?);
        let nodes = address.nodes().to_vec();
        let (way, ears) = match address.kind() {
            Kind::Single => fixed(&dialer, || Place::Any(nodes.clone().into(), AtomicUsize::new(0))),
            Kind::Sentinel { service } => fixed(&dialer, || Place::primary(nodes.clone(), service.clone())),
            Kind::Cluster => {
                let cluster = Cluster::new(dialer.clone(), nodes);
                let ears = cluster.ears();
                (Way::Cluster(Box::new(cluster)), ears)
            }
        };
        let stop = dialer.stop.clone().drop_guard();
        let link = Link { inner: Arc::new(Inner { dialer, way, ears, _stop_on_drop: stop }) };
        link.inner.begin().await.map_err(|trouble| unreachable(Box::new(trouble)))?;
        Ok(link)
    }

    pub(super) fn shape(&self) -> Shape {
        match &self.inner.way {
            Way::One(_) => Shape::Single,
            Way::Cluster(_) => Shape::Cluster,
        }
    }

    /// Runs scripts, and gives one result a call, in their order. On one server several calls are one transaction; in a
    /// cluster each node gets its calls in one pipeline. Concurrent runs in one lane with a confirmation wait for each
    /// other, so calls that can go together should.
    pub(super) async fn run(&self, lane: Lane, calls: Vec<Call>, confirm: Confirm) -> Vec<Result<Value, Trouble>> {
        let requests: Vec<Request> = calls.into_iter().map(Request::from).collect();
        self.send(lane, requests, confirm).await
    }

    /// Runs plain commands that read, and gives one result for each, in their order.
    pub(super) async fn read(&self, commands: Vec<Read>) -> Vec<Result<Value, Trouble>> {
        let requests: Vec<Request> = commands.into_iter().map(Request::from).collect();
        self.send(Lane::Read, requests, Confirm::Nothing).await
    }

    /// Asks every primary the same commands. Gives each one's address with its answers.
    pub(super) async fn ask_primaries(&self, commands: &[Cmd]) -> Result<Vec<(String, Vec<Answer>)>, Trouble> {
        match &self.inner.way {
            Way::One(one) => Ok(vec![one.ask(commands).await?]),
            Way::Cluster(cluster) => Box::pin(cluster.ask(commands)).await,
        }
    }

    /// Hears what is published on a channel of the server, or of any node of the cluster. Ends with the receiver.
    pub(super) fn listen(&self, channel: String) -> mpsc::Receiver<News> {
        listen::listen(self.inner.dialer.clone(), self.inner.ears.clone(), channel)
    }

    /// Ends all connections. Requests under way and later ones fail with [`Trouble::Closed`].
    pub(super) fn close(&self) {
        self.inner.dialer.stop.cancel();
        self.inner.dialer.tasks.close();
    }

    async fn send(&self, lane: Lane, requests: Vec<Request>, confirm: Confirm) -> Vec<Answer> {
        match &self.inner.way {
            Way::One(one) => Box::pin(one.run(lane, &requests, confirm)).await,
            Way::Cluster(cluster) => Box::pin(cluster.run(lane, &requests, confirm)).await,
        }
    }
}

impl Inner {
    /// Makes sure that the store is there and lets us in.
    async fn begin(&self) -> Result<(), Trouble> {
        match &self.way {
            Way::One(one) => match one.ask(&[cmd("PING")]).await?.1.into_iter().next() {
                Some(Err(trouble)) => Err(trouble),
                _ => Ok(()),
            },
            Way::Cluster(cluster) => Box::pin(cluster.refresh(0)).await,
        }
    }
}

fn fixed(dialer: &Arc<Dialer>, place: impl Fn() -> Place) -> (Way, Arc<Place>) {
    (Way::One(Box::new(One::new(dialer.clone(), place()))), Arc::new(place()))
}

/// How long a server may wait for a confirmation: less than the answer may take.
fn confirm_ms(dialer: &Dialer) -> u64 {
    let ms = dialer.timeouts.response.as_millis() * 4 / 5;
    // Nought would mean for ever.
    u64::try_from(ms).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
