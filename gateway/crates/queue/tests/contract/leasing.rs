//! Leasing: what is due, oldest first, to one at a time.

use super::*;

pub(crate) async fn nothing_is_leased_before_its_time(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 50)).await.unwrap();
    let early = queue.lease(wish("meta", 49)).await.unwrap();
    assert!(early.deliveries.is_empty());
    assert_eq!(early.next_due_ms, Some(50));
    let leased = lease(&queue, 50).await;
    assert_eq!((leased[0].key, leased[0].attempts, leased[0].queued_ms), (key(1), 0, 10));
    assert_eq!((leased[0].payload.as_slice(), &*leased[0].entry.id), (&b"payload 1"[..], "a"));
}

pub(crate) async fn the_oldest_due_comes_first(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for (n, due_ms) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        queue.append(due(&n.to_string(), n, due_ms)).await.unwrap();
    }
    assert_eq!(keys(&lease(&queue, 30).await), [key(2), key(3), key(1)]);
}

pub(crate) async fn the_count_bounds_a_lease(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=5 {
        queue.append(due(&n.to_string(), n, n)).await.unwrap();
    }
    let two = queue.lease(LeaseRequest { count_max: 2, ..wish("meta", 10) }).await.unwrap();
    assert_eq!(keys(&two.deliveries), [key(1), key(2)]);
    let none = queue.lease(LeaseRequest { count_max: 0, ..wish("meta", 10) }).await.unwrap();
    assert!(none.deliveries.is_empty());
    assert_eq!(keys(&lease(&queue, 10).await), [key(3), key(4), key(5)]);
}

pub(crate) async fn the_bytes_bound_a_lease_but_one_always_comes(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=3 {
        queue.append(due(&n.to_string(), n, n)).await.unwrap();
    }
    let one = queue.lease(LeaseRequest { bytes_max: 1, ..wish("meta", 10) }).await.unwrap();
    assert_eq!(keys(&one.deliveries), [key(1)]);
    let two = queue.lease(LeaseRequest { bytes_max: 2 * b"payload 1".len(), ..wish("meta", 10) }).await.unwrap();
    assert_eq!(keys(&two.deliveries), [key(2), key(3)]);
}

pub(crate) async fn a_lease_is_exclusive(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    assert_eq!(lease(&queue, 10).await.len(), 1);
    assert!(lease(&queue, 109).await.is_empty());
}

pub(crate) async fn concurrent_leasers_share_without_overlap(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let mut appends = tokio::task::JoinSet::new();
    for n in 0..200 {
        let queue = queue.clone();
        appends.spawn(async move { queue.append(due(&n.to_string(), n, 10)).await.unwrap() });
    }
    appends.join_all().await;
    let mut leasers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let queue = queue.clone();
        leasers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let some = queue.lease(LeaseRequest { count_max: 7, ..wish("meta", 10) }).await.unwrap();
                if some.deliveries.is_empty() {
                    return mine;
                }
                mine.extend(keys(&some.deliveries));
            }
        });
    }
    let mut all: Vec<_> = leasers.join_all().await.into_iter().flatten().collect();
    all.sort();
    assert_eq!(all, (0..200).map(key).collect::<Vec<_>>());
}

pub(crate) async fn an_expired_lease_is_given_to_the_next(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let first = lease(&queue, 10).await;
    let second = lease(&queue, 110).await;
    assert_eq!(keys(&second), [key(1)]);
    assert_eq!(second[0].payload, b"payload 1");
    assert_ne!(first[0].token, second[0].token);
    let settled = queue.settle(vec![attempt(&first[0], 111, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::LeaseLost]);
    let settled = queue.settle(vec![attempt(&second[0], 112, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::Recorded]);
}

pub(crate) async fn a_released_lease_is_due_again_at_once(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let first = lease(&queue, 10).await;
    queue.release(vec![(first[0].key, first[0].token)]).await.unwrap();
    let second = lease(&queue, 11).await;
    assert_eq!((keys(&second), second[0].attempts), (vec![key(1)], 0));
}

pub(crate) async fn a_stale_release_changes_nothing(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let first = lease(&queue, 10).await;
    let second = lease(&queue, 110).await;
    queue.release(vec![(first[0].key, first[0].token), (key(9), first[0].token)]).await.unwrap();
    assert!(lease(&queue, 111).await.is_empty());
    queue.release(vec![(second[0].key, second[0].token)]).await.unwrap();
    assert_eq!(lease(&queue, 111).await.len(), 1);
}

pub(crate) async fn destinations_do_not_see_each_other(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let deliveries = vec![delivery(1, "meta", NewState::Due(10)), delivery(2, "ga4", NewState::Due(20))];
    queue.append(Entry { deliveries, ..entry("a") }).await.unwrap();
    let meta = queue.lease(wish("meta", 20)).await.unwrap();
    assert_eq!((keys(&meta.deliveries), meta.next_due_ms), (vec![key(1)], None));
    assert_eq!(keys(&queue.lease(wish("ga4", 20)).await.unwrap().deliveries), [key(2)]);
    assert!(queue.lease(wish("unknown", 20)).await.unwrap().deliveries.is_empty());
}

pub(crate) async fn the_next_due_time_skips_what_is_leased(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for (n, due_ms) in [(1, 10), (2, 10), (3, 30)] {
        queue.append(due(&n.to_string(), n, due_ms)).await.unwrap();
    }
    let leased = queue.lease(LeaseRequest { count_max: 1, ..wish("meta", 10) }).await.unwrap();
    assert_eq!((leased.deliveries.len(), leased.next_due_ms), (1, Some(30)));
    assert_eq!(lease(&queue, 30).await.len(), 2);
    assert_eq!(queue.lease(wish("meta", 31)).await.unwrap().next_due_ms, None);
}

/// More than any backend may keep in memory, partly appended after the leasing began.
pub(crate) async fn a_backlog_longer_than_memory_comes_in_order(backend: &mut dyn Backend) {
    const EACH: u64 = 2200;
    let queue = backend.open(roomy());
    let fill = |from: u64| {
        let queue = queue.clone();
        async move {
            let mut appends = tokio::task::JoinSet::new();
            for n in from..from + EACH {
                let queue = queue.clone();
                // Scattered over the whole range, so that later ones go before earlier ones.
                let due_ms = 1 + n.wrapping_mul(7919) % (2 * EACH);
                // Nothing is due yet: the order of arrival says nothing.
                let entry = Entry { now_ms: 0, ..due(&n.to_string(), n, due_ms) };
                appends.spawn(async move { queue.append(entry).await.unwrap() });
            }
            appends.join_all().await;
        }
    };
    fill(0).await;
    let first = queue.lease(LeaseRequest { count_max: 10, ..wish("meta", 1_000_000) }).await.unwrap().deliveries;
    fill(EACH).await;
    queue.release(first.iter().map(|lease| (lease.key, lease.token)).collect()).await.unwrap();
    let mut dues = Vec::new();
    loop {
        let some = queue.lease(LeaseRequest { count_max: 700, ..wish("meta", 1_000_000) }).await.unwrap();
        if some.deliveries.is_empty() {
            break;
        }
        for lease in some.deliveries {
            let n: u64 = lease.entry.id.parse().unwrap();
            assert_eq!(lease.payload, format!("payload {n}").into_bytes());
            dues.push(1 + n.wrapping_mul(7919) % (2 * EACH));
        }
    }
    assert!(dues.is_sorted());
    assert_eq!(dues.len() as u64, 2 * EACH);
}

pub(crate) async fn an_arrival_is_notified(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let arrivals = queue.arrivals("meta");
    assert!(lease(&queue, 10).await.is_empty());
    queue.append(due("a", 1, 10)).await.unwrap();
    arrives(&arrivals).await;
    assert_eq!(lease(&queue, 10).await.len(), 1);
}
