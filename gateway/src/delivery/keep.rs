//! Keeps the leases of what is worked on: renews them while the work goes on, and knows which have been lost.
//!
//! A lease is short, so that another process soon has what a dead one held; work may be long. Sends nothing itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_queue::{DeliveryKey, Held, Lease, LeaseToken, Queue, Renewal};

use crate::causes::chain;
use crate::clock::Clock;

/// Some leases of one destination, until each is settled, given back or lost.
pub(super) struct Keeper<'a> {
    destination: &'a str,
    queue: &'a dyn Queue,
    clock: &'a dyn Clock,
    lease_ms: u64,
    held: Mutex<HashMap<DeliveryKey, Hold>>,
    /// What the machine's clock was ahead of the steady time at the last renewal, as a wrapping number.
    apart_ms: AtomicU64,
}

#[derive(Clone, Copy)]
struct Hold {
    token: LeaseToken,
    until_ms: u64,
}

/// Where leases come from, and how long they last.
pub(super) struct Terms<'a> {
    pub(super) destination: &'a str,
    pub(super) queue: &'a dyn Queue,
    pub(super) clock: &'a dyn Clock,
    pub(super) lease_ms: u64,
}

impl<'a> Keeper<'a> {
    /// Keeps leases that last until `until_ms` as yet.
    pub(super) fn new(terms: Terms<'a>, leases: &[Lease], until_ms: u64) -> Keeper<'a> {
        let Terms { destination, queue, clock, lease_ms } = terms;
        let held = leases.iter().map(|lease| (lease.key, Hold { token: lease.token, until_ms })).collect();
        let apart_ms = AtomicU64::new(apart_ms(clock));
        Keeper { destination, queue, clock, lease_ms, held: Mutex::new(held), apart_ms }
    }

    /// Whether all of these are ours still, with time to spare: what is nearly over may be somebody else's before the
    /// request has left.
    pub(super) async fn holds<'k>(&self, keys: impl IntoIterator<Item = &'k DeliveryKey>) -> bool {
        if self.may_have_slept() && !self.renew().await {
            return false;
        }
        let spare_ms = self.clock.steady_ms().saturating_add(self.lease_ms / 6);
        let held = self.held();
        keys.into_iter().all(|key| held.get(key).is_some_and(|hold| hold.until_ms > spare_ms))
    }

    /// These need not be kept any more: they have an outcome, or have been given back.
    pub(super) fn let_go<'k>(&self, keys: impl IntoIterator<Item = &'k DeliveryKey>) {
        let mut held = self.held();
        keys.into_iter().for_each(|key| {
            held.remove(key);
        });
    }

    /// Renews what is held for as long as this is polled.
    pub(super) async fn renewing(&self) -> Infallible {
        let mut pause_ms = self.lease_ms / 3;
        loop {
            tokio::time::sleep(Duration::from_millis(pause_ms.max(1))).await;
            // The store is away: asked a little more often, so that a short absence costs no lease.
            pause_ms = if self.renew().await { self.lease_ms / 3 } else { self.lease_ms / 10 };
        }
    }

    /// Whether the machine may have stood still since the last renewal, as when it was suspended: then its clock has
    /// gone on without the steady time, and so have the leases.
    fn may_have_slept(&self) -> bool {
        let gone_on_ms = apart_ms(self.clock).wrapping_sub(self.apart_ms.load(Ordering::Relaxed));
        gone_on_ms.cast_signed() > (self.lease_ms / 3).cast_signed()
    }

    /// Renews once; tells whether the store answered.
    async fn renew(&self) -> bool {
        let apart_ms = apart_ms(self.clock);
        let leases: Vec<_> = self.held().iter().map(|(key, hold)| (*key, hold.token)).collect();
        if leases.is_empty() {
            return true;
        }
        let now_ms = self.clock.steady_ms();
        let until_ms = now_ms.saturating_add(self.lease_ms);
        let name = self.destination;
        match self.queue.renew(Renewal { leases: leases.clone(), now_ms, until_ms }).await {
            Ok(answers) => {
                self.apart_ms.store(apart_ms, Ordering::Relaxed);
                let lost = self.note(leases.into_iter().zip(answers), until_ms);
                if lost > 0 {
                    tracing::warn!(destination.name = %name, "{lost} leases of `{name}` were lost before their time");
                }
                true
            }
            Err(error) => {
                tracing::warn!(destination.name = %name, "could not renew leases of `{name}`: {}", chain(&error));
                false
            }
        }
    }

    fn note(&self, answers: impl Iterator<Item = ((DeliveryKey, LeaseToken), Held)>, until_ms: u64) -> usize {
        let mut held = self.held();
        let mut lost = 0;
        for ((key, _), answer) in answers {
            match answer {
                // What was let go meanwhile stays gone.
                Held::Ours => held.entry(key).and_modify(|hold| hold.until_ms = until_ms),
                Held::Lost => {
                    lost += usize::from(held.remove(&key).is_some());
                    continue;
                }
            };
        }
        lost
    }

    fn held(&self) -> MutexGuard<'_, HashMap<DeliveryKey, Hold>> {
        // Nothing panics while it holds the lock, and a map is whole after any of its methods.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apart_ms(clock: &dyn Clock) -> u64 {
    clock.now_ms().wrapping_sub(clock.steady_ms())
}
