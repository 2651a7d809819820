//! Requests to the nodes of a cluster: each goes to the owner of its slot, follows redirections, and waits out a slot
//! that moves or a cluster that elects, within the time for an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{Cmd, Pipeline};
use tokio::time::{Instant, sleep};

use super::batch::{Answer, Batch, Frame, Request, answer, scripts};
use super::dial::Dialer;
use super::place::Place;
use super::slots::{Slots, redirected, slot};
use super::trouble::Trouble;
use super::wire::Wire;
use super::{Confirm, Lane, confirm_ms};
use crate::redis::address::Node;

const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// Nodes that send a request back and forth are given time to agree.
const HOPS_MAX: u8 = 4;

type Wires = Arc<[Wire; Lane::COUNT]>;

/// The nodes of a cluster, each with a connection a lane.
pub(super) struct Cluster {
    dialer: Arc<Dialer>,
    seeds: Vec<Node>,
    slots: Mutex<Arc<Slots>>,
    wires: Mutex<BTreeMap<Node, Wires>>,
    /// Held while the cluster is asked for its slots.
    asking: tokio::sync::Mutex<()>,
    /// Where one can listen: any primary.
    ears: Arc<Place>,
}

/// A request that has no final answer yet.
#[derive(Clone)]
struct Pending {
    index: usize,
    route: Route,
    learn: Learn,
    /// How often it was sent on without a pause.
    hops: u8,
}

#[derive(Clone)]
enum Route {
    Owner,
    /// The slot belongs to this node now.
    Moved(Node),
    /// The slot is on its way to this node.
    Asked(Node),
}

/// Whether the node has to learn the request's script first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Learn {
    No,
    Yes,
}

/// What follows from an answer.
enum Next {
    Done,
    /// The outcome is unknown, and the owner perhaps no longer the owner.
    Unknown,
    Again(Route, Learn),
    /// After a pause.
    Later,
    /// The owner cannot be reached: only another owner is worth a try.
    Elsewhere,
}

impl Cluster {
    pub(super) fn new(dialer: Arc<Dialer>, seeds: Vec<Node>) -> Cluster {
        let ears = Arc::new(Place::Any(seeds.clone().into(), AtomicUsize::new(0)));
        Cluster {
            dialer,
            seeds,
            slots: Mutex::default(),
            wires: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            ears,
        }
    }

    pub(super) fn ears(&self) -> Arc<Place> {
        self.ears.clone()
    }

    /// Sends each request to the owner of its slot, those of one node together.
    pub(super) async fn run(&self, lane: Lane, requests: &[Request], confirm: Confirm) -> Vec<Answer> {
        let deadline = Instant::now() + self.dialer.timeouts.response;
        let mut pause = PAUSE_FIRST;
        let mut answers: Vec<Answer> = requests.iter().map(|_| Err(unowned())).collect();
        let mut pending: Vec<Pending> = (0..requests.len()).map(Pending::new).collect();
        while !pending.is_empty() {
            let slots = self.slots();
            let groups = self.group(requests, &pending, &slots);
            let found = join_all(groups.into_iter().map(|group| self.send(lane, group, confirm))).await;
            let mut again = Vec::new();
            let (mut stale, mut wait) = (false, false);
            let mut elsewhere = Vec::new();
            for (asked, one, answer) in found.into_iter().flatten() {
                let what = next(&answer, &one, asked.as_ref());
                answers[one.index] = answer;
                match what {
                    Next::Done => {}
                    Next::Unknown => stale = true,
                    Next::Again(route, learn) => {
                        stale |= matches!(route, Route::Moved(_));
                        again.push(Pending { route, learn, hops: one.hops + 1, ..one });
                    }
                    Next::Later => {
                        (stale, wait) = (true, true);
                        again.push(Pending::new(one.index));
                    }
                    Next::Elsewhere => {
                        stale = true;
                        elsewhere.push((one.index, asked));
                    }
                }
            }
            if stale && self.refresh(slots.generation).await.is_ok() {
                let now = self.slots();
                for (index, asked) in elsewhere {
                    let owner = now.owner(slot(&requests[index].key)).cloned();
                    if owner.is_some() && owner != asked {
                        again.push(Pending::new(index));
                    }
                }
            }
            if Instant::now() + pause >= deadline {
                break;
            }
            if wait {
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            pending = again;
        }
        answers
    }

    /// Asks every primary the same, and gives each one's address with its answers.
    pub(super) async fn ask(&self, commands: &[Cmd]) -> Result<Vec<(String, Vec<Answer>)>, Trouble> {
        self.refresh(self.slots().generation).await?;
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let slots = self.slots();
        let all = slots.primaries().iter().map(|node| self.ask_one(node, &pipeline));
        join_all(all).await.into_iter().collect()
    }

    /// Learns who owns what, unless somebody else did since `generation`.
    pub(super) async fn refresh(&self, generation: u64) -> Result<(), Trouble> {
        let _one_at_a_time = self.asking.lock().await;
        let known = self.slots();
        if known.generation > generation {
            return Ok(());
        }
        let mut question = Pipeline::new();
        question.cmd("CLUSTER").arg("SLOTS");
        // All at once, and the first answer is taken: one that is gone without a word holds up nobody.
        let nodes: BTreeSet<&Node> = known.primaries().iter().chain(&self.seeds).collect();
        let generation = known.generation + 1;
        let asked = nodes.into_iter().map(|node| self.ask_for_slots(node, &question, generation));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut reasons = BTreeSet::new();
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(slots) => {
                    self.learn(slots);
                    return Ok(());
                }
                Err(Trouble::Closed) => return Err(Trouble::Closed),
                Err(trouble) => reasons.insert(trouble.to_string()),
            };
        }
        let why = reasons.into_iter().collect::<Vec<_>>().join("; ");
        Err(Trouble::Connect { node: "the cluster".to_owned(), why })
    }

    async fn ask_for_slots(&self, node: &Node, question: &Pipeline, generation: u64) -> Result<Slots, Trouble> {
        let (_, answers) = self.ask_one(node, question).await?;
        let unfit = |why: String| Trouble::Connect { node: node.to_string(), why };
        match answers.into_iter().next() {
            Some(Ok(value)) => Slots::read(&value, node, generation)
                .ok_or_else(|| unfit("it owns no slots and knows nobody that does".to_owned())),
            Some(Err(trouble)) => Err(unfit(trouble.to_string())),
            None => Err(unfit("no answer".to_owned())),
        }
    }

    fn learn(&self, slots: Slots) {
        let gone = |node: &Node| !slots.primaries().contains(node) && !self.seeds.contains(node);
        lock(&self.wires).retain(|node, _| !gone(node));
        if let Place::Any(nodes, _) = &*self.ears {
            *lock(nodes) = slots.primaries().to_vec();
        }
        *lock(&self.slots) = Arc::new(slots);
    }

    /// Requests by the node and the frame that they go with; `None`: nobody owns the slot.
    fn group<'a>(&self, requests: &'a [Request], pending: &[Pending], slots: &Slots) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for one in pending {
            let request = &requests[one.index];
            let (node, frame) = match &one.route {
                Route::Owner => (slots.owner(slot(&request.key)).cloned(), Frame::Nothing),
                Route::Moved(node) => (Some(node.clone()), Frame::Nothing),
                Route::Asked(node) => (Some(node.clone()), Frame::Asking),
            };
            match groups.iter_mut().find(|group| group.node == node && group.frame == frame) {
                Some(group) => group.members.push((one.clone(), request)),
                None => groups.push(Group { node, frame, members: vec![(one.clone(), request)] }),
            }
        }
        groups
    }

    async fn send(&self, lane: Lane, group: Group<'_>, confirm: Confirm) -> Vec<(Option<Node>, Pending, Answer)> {
        let answers = match &group.node {
            Some(node) => Box::pin(self.send_to(node, lane, &group, confirm)).await,
            None => group.members.iter().map(|_| Err(unowned())).collect(),
        };
        let members = group.members.into_iter().zip(answers);
        members.map(|((one, _), answer)| (group.node.clone(), one, answer)).collect()
    }

    async fn send_to(&self, node: &Node, lane: Lane, group: &Group<'_>, confirm: Confirm) -> Vec<Answer> {
        let learners = group.members.iter().filter(|(one, _)| one.learn == Learn::Yes);
        let batch = Batch {
            requests: group.members.iter().map(|(_, request)| *request).collect(),
            load: scripts(learners.map(|(_, request)| *request)),
            frame: group.frame,
            confirm,
            confirm_ms: confirm_ms(&self.dialer),
        };
        let (pipeline, count) = batch.encode();
        let wires = self.wires(node);
        let wire = &wires[lane as usize];
        match wire.exchange(&pipeline, count).await {
            Ok(exchange) => {
                let answers = batch.decode(exchange.answers);
                let lost_login =
                    answers.iter().find_map(|answer| answer.as_ref().err().filter(|t| t.code() == "NOAUTH"));
                if let Some(trouble) = lost_login {
                    wire.retire(&exchange.connection, trouble).await;
                }
                answers
            }
            Err(trouble) => batch.requests.iter().map(|_| Err(trouble.clone())).collect(),
        }
    }

    async fn ask_one(&self, node: &Node, pipeline: &Pipeline) -> Result<(String, Vec<Answer>), Trouble> {
        let wires = self.wires(node);
        let exchange = Box::pin(wires[Lane::Read as usize].exchange(pipeline, pipeline.len())).await?;
        Ok((node.to_string(), exchange.answers.into_iter().map(answer).collect()))
    }

    fn slots(&self) -> Arc<Slots> {
        lock(&self.slots).clone()
    }

    fn wires(&self, node: &Node) -> Wires {
        let new = || {
            let place = Arc::new(Place::Fixed(node.clone()));
            Arc::new(std::array::from_fn(|_| Wire::new(self.dialer.clone(), place.clone())))
        };
        lock(&self.wires).entry(node.clone()).or_insert_with(new).clone()
    }
}

impl Pending {
    fn new(index: usize) -> Pending {
        Pending { index, route: Route::Owner, learn: Learn::No, hops: 0 }
    }
}

/// What goes to one node in one pipeline.
struct Group<'a> {
    node: Option<Node>,
    frame: Frame,
    members: Vec<(Pending, &'a Request)>,
}

/// Decides what follows from an answer. Only what the node refused to begin is sent again.
fn next(answer: &Answer, one: &Pending, asked: Option<&Node>) -> Next {
    let Err(trouble) = answer else { return Next::Done };
    let (code, text) = match trouble {
        Trouble::Server { code, text } => (code.as_str(), text),
        Trouble::Connect { .. } => return Next::Elsewhere,
        Trouble::Lost { .. } | Trouble::Timeout { .. } => return Next::Unknown,
        _ => return Next::Done,
    };
    let target = || asked.and_then(|asked| redirected(text, asked));
    match code {
        "MOVED" | "ASK" if one.hops >= HOPS_MAX => Next::Later,
        "MOVED" => target().map_or(Next::Later, |node| Next::Again(Route::Moved(node), Learn::No)),
        "ASK" => target().map_or(Next::Later, |node| Next::Again(Route::Asked(node), Learn::No)),
        "NOSCRIPT" if one.learn == Learn::No => Next::Again(one.route.clone(), Learn::Yes),
        "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "LOADING" | "READONLY" => Next::Later,
        _ => Next::Done,
    }
}

fn unowned() -> Trouble {
    Trouble::Server { code: "CLUSTERDOWN".to_owned(), text: "nobody owns the slot".to_owned() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
