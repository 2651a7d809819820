//! What happens to leases: read, merged into parcels, sent while they are kept, settled or given back.
//!
//! A parcel that is not in the ledger, or of which a lease was lost or a consent withdrawn, is not sent. When the worker is
//! to end, or its destination is switched off, what was not begun is given back; when the gateway has waited long enough, so
//! is what is under way.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tidegate_queue::{Attempt, DeliveryKey, Lease, LeaseToken, Outcome};

use super::attempt::{Attempted, Attempting};
use super::consent::Ready;
use super::keep::{Keeper, Terms};
use super::merge::{self, Load, Parcel};
use super::retry;
use super::settle::Settler;
use super::worker::{STORE_PAUSE_MS, Worker};
use crate::causes::chain;
use crate::ledger::{Origin, Target, Waybill};
use crate::record::{self, ToSend};

/// A worker at work: what it is made of, and where its outcomes go.
pub(super) struct Working {
    pub(super) worker: Worker,
    pub(super) settler: Settler,
}

/// What one call leased.
pub(super) struct Leases {
    pub(super) leases: Vec<Lease>,
    /// When they end unless they are renewed, in steady time.
    pub(super) until_ms: u64,
}

impl Deref for Working {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl Working {
    /// Works on leases until each has its outcome, or has been given back.
    pub(super) async fn work(&self, leases: Leases) {
        let terms = Terms {
            destination: &self.destination.name,
            queue: self.queue.as_ref(),
            clock: self.clock.as_ref(),
            lease_ms: self.lease_ms,
        };
        let keeper = Keeper::new(terms, &leases.leases, leases.until_ms);
        tokio::select! {
            never = keeper.renewing() => match never {},
            () = self.send(leases.leases, &keeper) => {}
        }
    }

    async fn send(&self, leases: Vec<Lease>, keeper: &Keeper<'_>) {
        let (ready, unreadable) = self.load(leases);
        self.end(unreadable, keeper).await;
        let keys: Vec<_> = ready.iter().map(|one| (one.load.lease.key, one.load.lease.token)).collect();
        let asked_ms = self.clock.steady_ms();
        let Some((loads, ended)) = self.ask(ready).await else { return self.release(keys, keeper).await };
        self.end(ended, keeper).await;
        let parcels = merge::merge(&self.destination.batch, loads);
        // Singles go out side by side, each lane taking the next, so that a slow one holds up none behind it.
        let lanes =
            if self.destination.batch.joins_any() { 1 } else { self.destination.concurrency.min(parcels.len()) };
        let waiting = Mutex::new(VecDeque::from(parcels));
        let mut sending = join_all((0..lanes.max(1)).map(|_| self.lane(&waiting, asked_ms, keeper)));
        tokio::select! {
            biased;
            _ = &mut sending => return,
            () = self.halted() => {}
        }
        // Somebody else may have at once what has not been begun, however long the rest takes.
        join(self.give_back(&waiting, keeper), sending).await;
    }

    /// Settles what is not sent.
    async fn end(&self, attempts: Vec<Attempt>, keeper: &Keeper<'_>) {
        keeper.let_go(attempts.iter().map(|attempt| &attempt.key));
        self.settler.settle_unsent(attempts).await;
    }

    async fn lane(&self, waiting: &Mutex<VecDeque<Parcel>>, asked_ms: u64, keeper: &Keeper<'_>) {
        while !locked(waiting).is_empty() {
            // A slot is free when an outcome is on the disk; what is not begun by a stop need not wait for that.
            let slot = tokio::select! {
                slot = Arc::clone(&self.requests).acquire_owned() => slot,
                () = self.halted() => return self.give_back(waiting, keeper).await,
            };
            let Ok(slot) = slot else { return };
            if self.ending.stop.is_cancelled() || self.is_held() {
                return self.give_back(waiting, keeper).await;
            }
            let Some(parcel) = locked(waiting).pop_front() else { return };
            let leases = leases(&parcel);
            let waybill = tokio::select! {
                waybill = self.clear(&parcel, asked_ms) => waybill,
                () = self.halted() => {
                    self.release(leases, keeper).await;
                    return self.give_back(waiting, keeper).await;
                }
            };
            let is_ours = keeper.holds(leases.iter().map(|(key, _)| key)).await;
            let Some(waybill) = waybill.filter(|_| is_ours) else {
                // Those of the parcel that are ours still are due again at once; the others are somebody else's.
                self.release(leases, keeper).await;
                continue;
            };
            let attempting = self.attempting();
            let attempted = tokio::select! {
                attempted = attempting.attempt(parcel, waybill) => attempted,
                () = self.ending.give_up.cancelled() => {
                    self.release(leases, keeper).await;
                    return self.give_back(waiting, keeper).await;
                }
            };
            match attempted {
                Attempted::Settled(attempts) => {
                    keeper.let_go(attempts.iter().map(|attempt| &attempt.key));
                    self.settler.settle(attempts, slot).await;
                }
                Attempted::Split(parcels) => locked(waiting).extend(parcels),
                Attempted::Withheld(parcel) => self.release(self::leases(&parcel), keeper).await,
            }
        }
    }

    /// Clears a parcel for leaving: it is consented to still, and in the ledger. `None` where one of its deliveries was
    /// withdrawn meanwhile: leased anew, that one is cancelled, and the others are sent.
    async fn clear(&self, parcel: &Parcel, asked_ms: u64) -> Option<Waybill> {
        if !self.may_leave(parcel, asked_ms).await {
            return None;
        }
        let asked_ms = self.clock.steady_ms();
        let waybill = self.declare(parcel).await;
        self.may_leave(parcel, asked_ms).await.then_some(waybill)
    }

    /// Has the ledger write down what is about to leave. While it cannot, nothing leaves: it is tried again until it can.
    async fn declare(&self, parcel: &Parcel) -> Waybill {
        let Some(endpoint) = self.destination.endpoints.get(&parcel.request.endpoint) else {
            // Without an address it is not sent.
            return Waybill::none();
        };
        let host = endpoint.host();
        let target = Target { destination: &self.destination.name, host: &host };
        loop {
            match self.ledger.declare(target, parcel.parts.iter().map(|part| &part.origin)).await {
                Ok(waybill) => return waybill,
                // The ledger has said why.
                Err(_) => tokio::time::sleep(Duration::from_millis(STORE_PAUSE_MS)).await,
            }
        }
    }

    /// Waits until nothing more is to be begun: the worker is to end, or its destination is switched off.
    pub(super) async fn halted(&self) {
        tokio::select! {
            () = self.ending.stop.cancelled() => {}
            () = self.switches.until_stopped(&self.destination.name) => {}
        }
    }

    /// Whether nothing is to be sent at the moment.
    fn is_held(&self) -> bool {
        !self.switches.lets_send(&self.destination.name) || self.state.held_until(self.clock.steady_ms()).is_some()
    }

    /// Reads leased deliveries. One that cannot be read gets its outcome at once; one that is too old by now, or relies on a
    /// consent that does not cover what the destination is for by now, is told with what keeps it.
    fn load(&self, leases: Vec<Lease>) -> (Vec<Ready>, Vec<Attempt>) {
        let now_ms = self.clock.now_ms();
        let mut ready = Vec::with_capacity(leases.len());
        let mut dead = Vec::new();
        for mut lease in leases {
            let payload = std::mem::take(&mut lease.payload);
            let stored = record::read::<ToSend<'_>>(&payload);
            let origin = stored.as_ref().map(Origin::of).unwrap_or_default();
            let reason = match stored {
                Err(error) => format!("the stored delivery {error}"),
                Ok(ToSend { request: None, .. }) => "the stored delivery has no request".to_owned(),
                Ok(ToSend { plugin, .. }) if !self.is_of_the_destination(&plugin) => {
                    let now = &self.destination.plugin_label;
                    format!("made by another plugin: `{plugin}`; the destination has `{now}` now: replay it afresh")
                }
                Ok(ToSend { consent, at_ms, index, who, request: Some(request), .. }) => {
                    let too_old = || retry::too_old(&self.policy, at_ms, now_ms);
                    let obstacle = self.destination.consent_obstacle(&consent).or_else(too_old);
                    if who.is_some() {
                        lease.payload = payload;
                    }
                    ready.push(Ready { load: Load { lease, at_ms, index, origin, request, who }, obstacle });
                    continue;
                }
            };
            dead.push(self.unsent(&lease, Outcome::Dead(reason)));
        }
        (ready, dead)
    }

    /// Whether a stored delivery is of the plugin that the destination has now, in whatever version. What another one made is
    /// not for this platform: its endpoints may have the same names, and lead elsewhere.
    fn is_of_the_destination(&self, plugin: &str) -> bool {
        let (name, _version) = plugin.split_once(' ').unwrap_or((plugin, ""));
        name == self.destination.manifest().name
    }

    /// Gives back all that has not been begun.
    async fn give_back(&self, waiting: &Mutex<VecDeque<Parcel>>, keeper: &Keeper<'_>) {
        let rest = std::mem::take(&mut *locked(waiting));
        self.release(rest.iter().flat_map(leases).collect(), keeper).await;
    }

    async fn release(&self, leases: Vec<(DeliveryKey, LeaseToken)>, keeper: &Keeper<'_>) {
        if leases.is_empty() {
            return;
        }
        keeper.let_go(leases.iter().map(|(key, _)| key));
        if let Err(error) = self.queue.release(leases).await {
            let name = &self.destination.name;
            tracing::warn!(destination.name = %name, "could not give leases of `{name}` back: {}", chain(&error));
        }
    }

    fn attempting(&self) -> Attempting<'_> {
        Attempting { destination: &self.destination, policy: &self.policy, state: &self.state, courier: &self.courier }
    }
}

fn leases(parcel: &Parcel) -> Vec<(DeliveryKey, LeaseToken)> {
    parcel.parts.iter().map(|part| (part.lease.key, part.lease.token)).collect()
}

fn locked(waiting: &Mutex<VecDeque<Parcel>>) -> MutexGuard<'_, VecDeque<Parcel>> {
    // Nothing panics while it holds the lock, and a queue is whole after any of its methods.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
