//! The crew: every destination that runs, with its worker. A reload changes it; what did not change goes on untouched.

use std::sync::Arc;

use tidegate_queue::Queue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Delivery;
use crate::delivery::courier::Courier;
use crate::delivery::retry::Policy;
use crate::delivery::state::{Post, Posts, State};
use crate::delivery::worker::{self, Worker};
use crate::destination::{Destination, Switch};
use crate::ending::Ending;
use crate::ledger::Ledger;
use crate::reload::Changes;
use crate::snapshot::Snapshot;
use crate::switch::Switches;

/// What all workers share.
pub(super) struct Tools {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) courier: Arc<Courier>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) switches: Switches,
    pub(super) ending: Ending,
    pub(super) manner: Manner,
}

/// Whether this process delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Deliver,
    /// It does not: there are destinations to collect for, and no workers.
    CollectOnly,
}

/// All destinations that run.
pub(super) struct Crew {
    tools: Tools,
    members: Vec<Member>,
    /// What others see of it.
    posts: Snapshot<Posts>,
}

/// One destination and its worker.
struct Member {
    destination: Arc<Destination>,
    policy: Policy,
    state: Arc<State>,
    /// Shared by a worker and the one that takes its place: together they have no more requests under way than one.
    requests: Arc<Semaphore>,
    /// Ends this worker alone.
    stop: CancellationToken,
}

impl Crew {
    /// Nobody yet.
    pub(super) fn new(tools: Tools) -> Crew {
        Crew { tools, members: Vec::new(), posts: Snapshot::new(Posts::default()) }
    }

    /// What others see of it, now and after each change.
    pub(super) fn posts(&self) -> Snapshot<Posts> {
        self.posts.clone()
    }

    /// The destinations that run.
    pub(super) fn destinations(&self) -> Vec<Arc<Destination>> {
        self.members.iter().map(|member| Arc::clone(&member.destination)).collect()
    }

    /// Lets these run instead. A worker whose destination changed, or is gone, begins nothing more, finishes what is under
    /// way and gives back the rest; what waits is the next one's, or stays in the store.
    pub(super) fn change(&mut self, destinations: &[Arc<Destination>], delivery: &Delivery) -> Changes {
        let mut changes = Changes::default();
        let mut old: Vec<Member> = std::mem::take(&mut self.members);
        for destination in destinations {
            let place = old.iter().position(|member| member.destination.name == destination.name);
            let before = place.map(|place| old.swap_remove(place));
            let policy = policy(destination, delivery);
            let name = destination.name.clone();
            let member = match before {
                Some(member) if Arc::ptr_eq(&member.destination, destination) && member.policy == policy => {
                    changes.unchanged += 1;
                    self.members.push(member);
                    continue;
                }
                Some(before) => {
                    before.stop.cancel();
                    changes.changed.push(name);
                    self.successor(&before, destination, policy)
                }
                None => {
                    changes.added.push(name);
                    self.member(destination, policy)
                }
            };
            self.begin(&member);
            self.members.push(member);
        }
        for gone in old {
            gone.stop.cancel();
            changes.removed.push(gone.destination.name.clone());
        }
        changes.removed.sort();
        let post =
            |member: &Member| Post { destination: Arc::clone(&member.destination), state: Arc::clone(&member.state) };
        self.posts.put(self.members.iter().map(post).collect());
        changes
    }

    fn member(&self, destination: &Arc<Destination>, policy: Policy) -> Member {
        Member {
            destination: Arc::clone(destination),
            policy,
            state: Arc::default(),
            requests: Arc::new(Semaphore::new(destination.concurrency.max(1))),
            stop: self.tools.ending.stop.child_token(),
        }
    }

    /// Whatever was wrong with the old one may be mended: only its totals are taken over.
    fn successor(&self, before: &Member, destination: &Arc<Destination>, policy: Policy) -> Member {
        let mut member = self.member(destination, policy);
        member.state = match Arc::ptr_eq(&before.destination, destination) {
            true => Arc::clone(&before.state),
            false => Arc::new(before.state.renewed()),
        };
        if before.destination.concurrency == destination.concurrency {
            member.requests = Arc::clone(&before.requests);
        }
        member
    }

    fn begin(&self, member: &Member) {
        let Tools { queue, courier, ledger, clock, switches, ending, manner } = &self.tools;
        let destination = &member.destination;
        if *manner == Manner::CollectOnly || destination.switch == Switch::Off {
            return;
        }
        let worker = Worker {
            destination: Arc::clone(destination),
            policy: member.policy,
            state: Arc::clone(&member.state),
            queue: Arc::clone(queue),
            courier: Arc::clone(courier),
            ledger: Arc::clone(ledger),
            clock: Arc::clone(clock),
            lease_ms: worker::lease_ms(destination.timeout_ms),
            requests: Arc::clone(&member.requests),
            switches: switches.clone(),
            ending: Ending { stop: member.stop.clone(), ..ending.clone() },
        };
        ending.tracker.spawn(worker.run());
    }
}

fn policy(destination: &Destination, delivery: &Delivery) -> Policy {
    Policy {
        attempts_max: delivery.attempts_max,
        backoff_base_ms: delivery.backoff_base_ms,
        backoff_max_ms: delivery.backoff_max_ms,
        age_max_ms: destination.age_max_ms,
    }
}
