//! What every backend promises, as sentences; and the reference model that a random walk compares it with.
//!
//! A backend passes by `contract!(make_backend)` in a test file of its own, `make_backend` giving an empty [`Backend`].

// Each test file is compiled with its own copy of these modules, and none uses all of them.
#![allow(dead_code, unused_macros, reason = "shared by several test binaries")]

pub(crate) mod appending;
pub(crate) mod chaining;
pub(crate) mod dead;
pub(crate) mod keeping;
pub(crate) mod leasing;
pub(crate) mod memory;
pub(crate) mod moving;
pub(crate) mod reading;
pub(crate) mod renewing;
pub(crate) mod settling;
pub(crate) mod walk;

use std::sync::Arc;

use tidegate_queue::*;

/// A store that a test owns.
pub(crate) trait Backend {
    /// Opens the queue on what is stored. Called on a thread of a runtime with several, where it may block.
    fn open(&mut self, limits: Limits) -> Arc<dyn Queue>;

    /// Kills what was opened without a word: the next opening finds what was durable at this moment.
    fn crash(&mut self);

    /// Whether fields of profiles that have expired are there until they are swept.
    fn sweeps_profiles(&self) -> bool {
        true
    }
}

/// One test for each sentence of the contract; or, with a name, one function that runs all of them one after the other,
/// for backends that take long to start.
macro_rules! contract {
    ($backend:expr) => {
        contract!(@sentences each $backend);

        #[test]
        fn a_random_walk_agrees_with_the_reference() {
            contract::walk::compare(40, || Box::new($backend()));
        }
    };
    (@one_after_the_other $name:ident) => {
        async fn $name<B: contract::Backend>(make: impl Fn() -> B) {
            contract!(@sentences every make);
        }
    };
    (@sentences $how:ident $backend:expr) => {
        contract!(@$how $backend;
            appending: an_entry_is_stored_with_all_its_deliveries, the_same_key_is_stored_once_and_counted,
                concurrent_appends_of_one_key_store_it_once, the_same_id_in_another_scope_is_another_entry,
                a_duplicate_changes_nothing_but_its_count, an_entry_without_deliveries_is_journalled,
                a_full_queue_refuses_and_stores_nothing, a_full_queue_still_knows_duplicates,
                a_full_destination_refuses_the_whole_entry, a_full_destination_lets_what_it_has_no_room_for_die,
                a_limit_counts_the_deliveries_of_one_entry, a_limit_may_be_changed, a_full_destination_still_knows_duplicates,
                a_delivery_may_be_born_dead, odd_texts_and_empty_bytes_come_back_as_they_were;
            leasing: nothing_is_leased_before_its_time, the_oldest_due_comes_first, the_count_bounds_a_lease,
                the_bytes_bound_a_lease_but_one_always_comes, a_lease_is_exclusive,
                concurrent_leasers_share_without_overlap, an_expired_lease_is_given_to_the_next,
                a_released_lease_is_due_again_at_once, a_stale_release_changes_nothing,
                destinations_do_not_see_each_other, the_next_due_time_skips_what_is_leased,
                a_backlog_longer_than_memory_comes_in_order, an_arrival_is_notified;
            renewing: a_renewed_lease_goes_on_past_its_first_end, a_renewed_lease_ends_at_its_new_end,
                what_is_no_longer_held_is_told_at_its_position;
            settling: delivered_is_never_leased_again, a_retry_comes_back_at_its_time_with_its_attempts,
                dead_is_kept_with_reason_and_attempts, a_lost_lease_is_reported_at_its_position,
                settling_twice_records_once, a_retry_notifies_its_destination,
                what_is_cancelled_keeps_no_payload_and_never_comes_back, what_is_cancelled_moves_as_such;
            dead: letters_come_newest_first_in_pages, letters_are_filtered, replay_as_recorded_starts_anew,
                replay_instead_replaces_the_letter, replay_of_what_is_not_dead_does_nothing, a_full_queue_refuses_replay,
                a_full_destination_refuses_replay, purge_deletes_for_good, replay_notifies_its_destination;
            reading: find_gives_the_whole_trace_in_every_scope, recent_comes_newest_first_without_payloads,
                counts_follow_every_change, the_newest_field_of_a_profile_wins, an_expired_field_is_forgotten,
                a_field_of_many_profiles_comes_in_their_order,
                a_setting_is_what_was_written_last, a_setting_notifies;
            keeping: sweep_removes_what_is_old_and_done, sweep_removes_what_was_cancelled, sweep_never_touches_what_waits,
                sweep_keeps_dead_letters_for_their_own_time, sweep_is_bounded_and_comes_to_an_end,
                everything_survives_a_crash, leases_do_not_survive_a_crash_for_long, everything_survives_a_close,
                a_closed_queue_refuses, an_open_queue_is_healthy_and_tells_its_durability;
            moving: an_empty_store_exports_nothing, an_export_holds_all_that_is_stored,
                pages_of_one_give_what_one_page_gives, what_is_imported_is_as_it_was, what_is_imported_goes_on_as_ever,
                importing_twice_adds_nothing, an_import_keeps_the_marks, an_import_leaves_what_is_here,
                an_import_is_counted_and_notified, an_import_takes_no_heed_of_limits;
            chaining: an_empty_log_ends_where_it_begins, entries_are_linked_in_their_order,
                what_is_appended_at_once_is_one_log, the_log_survives_a_crash,
                a_sweep_takes_the_oldest_and_what_is_kept_still_verifies,
                an_old_entry_behind_a_young_one_waits_for_it, a_log_moves_whole_and_goes_on,
                another_log_is_not_mixed_in, a_closed_queue_logs_nothing;
        );
    };
    (@each $backend:expr; $($module:ident: $($sentence:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                contract::$module::$sentence(&mut $backend()).await;
            }
        )+)+
    };
    (@every $backend:expr; $($module:ident: $($sentence:ident),+;)+) => {
        $($(
            Box::pin(contract::$module::$sentence(&mut $backend())).await;
        )+)+
    };
}

/// Room enough for tests that are not about room.
pub(crate) fn roomy() -> Limits {
    Limits::overall(1_000_000)
}

/// Room enough, but for one destination.
pub(crate) fn capped(destination: &str, waiting_max: u64, when_full: WhenFull) -> Limits {
    Limits { destinations: [(destination.to_owned(), Cap { waiting_max, when_full })].into(), ..roomy() }
}

/// A delivery's key; higher ones are newer.
pub(crate) fn key(n: u64) -> DeliveryKey {
    let mut bytes = [0x70; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    DeliveryKey(bytes)
}

/// An entry of scope `shop`, received at 10, without deliveries.
pub(crate) fn entry(id: &str) -> Entry {
    Entry {
        key: EntryKey { scope: "shop".into(), id: id.into() },
        affinity: "visitor".into(),
        received_ms: 10,
        now_ms: 10,
        record: format!("record of {id}").into_bytes(),
        deliveries: Vec::new(),
        profile: Vec::new(),
    }
}

/// A delivery whose payload tells its key.
pub(crate) fn delivery(n: u64, destination: &str, state: NewState) -> NewDelivery {
    NewDelivery { key: key(n), destination: destination.into(), payload: format!("payload {n}").into_bytes(), state }
}

/// An entry with one delivery to `meta`.
pub(crate) fn due(id: &str, n: u64, due_ms: u64) -> Entry {
    Entry { deliveries: vec![delivery(n, "meta", NewState::Due(due_ms))], ..entry(id) }
}

/// An entry with one dead letter of `meta`.
pub(crate) fn dead(id: &str, n: u64, reason: &str) -> Entry {
    Entry { deliveries: vec![delivery(n, "meta", NewState::Dead(reason.into()))], ..entry(id) }
}

/// A wish for all that is due at `now_ms`, for 100 ms.
pub(crate) fn wish(destination: &str, now_ms: u64) -> LeaseRequest {
    LeaseRequest {
        destination: destination.into(),
        count_max: 1000,
        bytes_max: 1 << 20,
        now_ms,
        until_ms: now_ms + 100,
    }
}

/// Leases all that is due at `meta`.
pub(crate) async fn lease(queue: &Arc<dyn Queue>, now_ms: u64) -> Vec<Lease> {
    queue.lease(wish("meta", now_ms)).await.unwrap().deliveries
}

pub(crate) fn keys(leases: &[Lease]) -> Vec<DeliveryKey> {
    leases.iter().map(|lease| lease.key).collect()
}

/// An attempt whose record tells when it was.
pub(crate) fn attempt(lease: &Lease, at_ms: u64, outcome: Outcome) -> Attempt {
    let record = format!("attempt at {at_ms}").into_bytes();
    Attempt { key: lease.key, token: lease.token, record, at_ms, now_ms: at_ms, outcome }
}

/// Sweeps until nothing is left to sweep.
pub(crate) async fn swept(queue: &Arc<dyn Queue>, now_ms: u64, retention: Retention) -> Swept {
    let mut total = Swept::default();
    loop {
        let some = queue.sweep(now_ms, retention).await.unwrap();
        if some == Swept::default() {
            return total;
        }
        total.records += some.records;
        total.fields += some.fields;
        total.links += some.links;
    }
}

/// All dead letters.
pub(crate) async fn letters(queue: &Arc<dyn Queue>) -> Vec<DeadLetter> {
    queue.dead_letters(DeadFilter { limit: 1000, ..DeadFilter::default() }).await.unwrap()
}

/// Waits for an arrival that must come; the time is only there so that a failure ends.
pub(crate) async fn arrives(arrivals: &tokio::sync::Notify) {
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, arrivals.notified()).await.expect("an arrival is notified");
}
