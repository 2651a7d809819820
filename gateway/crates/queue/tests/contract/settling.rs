//! Settling: each attempt is recorded once, with what it led to.

use super::*;

pub(crate) async fn delivered_is_never_leased_again(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    let settled = queue.settle(vec![attempt(&leased[0], 20, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::Recorded]);
    assert!(lease(&queue, 1_000_000).await.is_empty());
    let found = queue.find("a").await.unwrap();
    assert_eq!(found[0].deliveries[0].state, State::Delivered);
    assert_eq!(found[0].deliveries[0].attempts, [b"attempt at 20"]);
}

pub(crate) async fn a_retry_comes_back_at_its_time_with_its_attempts(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Retry(50))]).await.unwrap();
    let early = queue.lease(wish("meta", 49)).await.unwrap();
    assert_eq!((early.deliveries.len(), early.next_due_ms), (0, Some(50)));
    let again = lease(&queue, 50).await;
    assert_eq!((again[0].attempts, again[0].queued_ms), (1, 10));
    assert_eq!(again[0].payload, b"payload 1");
    queue.settle(vec![attempt(&again[0], 60, Outcome::Retry(70))]).await.unwrap();
    assert_eq!(lease(&queue, 70).await[0].attempts, 2);
    let found = queue.find("a").await.unwrap();
    assert_eq!(found[0].deliveries[0].state, State::Waiting(70));
    assert_eq!(found[0].deliveries[0].attempts, [b"attempt at 20", b"attempt at 60"]);
}

pub(crate) async fn dead_is_kept_with_reason_and_attempts(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let first = lease(&queue, 10).await;
    queue.settle(vec![attempt(&first[0], 20, Outcome::Retry(30))]).await.unwrap();
    let second = lease(&queue, 30).await;
    queue.settle(vec![attempt(&second[0], 40, Outcome::Dead("400: no such pixel".into()))]).await.unwrap();
    assert!(lease(&queue, 1_000_000).await.is_empty());
    let letters = letters(&queue).await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].key, &*letters[0].destination, &*letters[0].entry.id), (key(1), "meta", "a"));
    assert_eq!((&*letters[0].reason, letters[0].died_ms), ("400: no such pixel", 40));
    assert_eq!(letters[0].payload, b"payload 1");
    assert_eq!(letters[0].attempts, [b"attempt at 20", b"attempt at 40"]);
}

pub(crate) async fn what_is_cancelled_keeps_no_payload_and_never_comes_back(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    let cancelled = attempt(&leased[0], 20, Outcome::Cancelled("the visitor withdrew consent".into()));
    assert_eq!(queue.settle(vec![cancelled]).await.unwrap(), [Settled::Recorded]);
    assert!(lease(&queue, 1_000_000).await.is_empty());
    assert!(letters(&queue).await.is_empty() && queue.counts().await.unwrap().is_empty());
    let again = Replay { key: key(1), with: ReplayWith::AsRecorded };
    assert_eq!(queue.replay(vec![again], 30).await.unwrap(), 0);
    assert_eq!(queue.purge(vec![key(1)]).await.unwrap(), 0);
    backend.crash();
    let queue = backend.open(roomy());
    assert!(lease(&queue, 1_000_000).await.is_empty());
    let found = queue.find("a").await.unwrap().remove(0).deliveries.remove(0);
    assert_eq!((found.state, found.reason.as_deref()), (State::Cancelled, Some("the visitor withdrew consent")));
    assert_eq!((found.payload, found.attempts), (Vec::new(), vec![b"attempt at 20".to_vec()]));
}

pub(crate) async fn what_is_cancelled_moves_as_such(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Cancelled("withdrawn".into()))]).await.unwrap();
    let mut items = queue.export(None, 10).await.unwrap().items;
    let Item::Entry(entry) = &mut items[0] else { panic!("entries come first") };
    let one = &entry.deliveries[0];
    assert_eq!((&one.state, one.payload.len()), (&StoredState::Cancelled("withdrawn".into()), 0));
    (entry.key.id, entry.deliveries[0].key) = ("b".into(), key(2));
    let copy = entry.clone();
    assert_eq!(queue.import(vec![Item::Entry(copy.clone())]).await.unwrap(), 1);
    let all = queue.export(None, 10).await.unwrap().items;
    assert!(all.contains(&Item::Entry(copy)), "{all:?}");
    assert!(lease(&queue, 1_000_000).await.is_empty() && queue.counts().await.unwrap().is_empty());
}

pub(crate) async fn a_lost_lease_is_reported_at_its_position(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=3 {
        queue.append(due(&n.to_string(), n, n)).await.unwrap();
    }
    let mut leased = lease(&queue, 10).await;
    leased[1].token = LeaseToken(leased[1].token.0.wrapping_add(1_000_000));
    let attempts = leased.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect();
    let settled = queue.settle(attempts).await.unwrap();
    assert_eq!(settled, [Settled::Recorded, Settled::LeaseLost, Settled::Recorded]);
    assert!(queue.find("2").await.unwrap()[0].deliveries[0].attempts.is_empty());
}

pub(crate) async fn settling_twice_records_once(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=2 {
        queue.append(due(&n.to_string(), n, n)).await.unwrap();
    }
    let leased = lease(&queue, 10).await;
    let twice = vec![attempt(&leased[0], 20, Outcome::Delivered), attempt(&leased[0], 21, Outcome::Retry(30))];
    assert_eq!(queue.settle(twice).await.unwrap(), [Settled::Recorded, Settled::LeaseLost]);
    let again = queue.settle(vec![attempt(&leased[0], 22, Outcome::Delivered)]).await.unwrap();
    assert_eq!(again, [Settled::LeaseLost]);
    let both = [0, 1].map(|_| queue.settle(vec![attempt(&leased[1], 20, Outcome::Delivered)]));
    let [one, other] = both;
    let (one, other) = tokio::join!(one, other);
    let answers = [one.unwrap()[0], other.unwrap()[0]];
    assert_eq!(answers.iter().filter(|answer| **answer == Settled::Recorded).count(), 1);
    assert_eq!(queue.find("1").await.unwrap()[0].deliveries[0].attempts, [b"attempt at 20"]);
}

pub(crate) async fn a_retry_notifies_its_destination(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let arrivals = queue.arrivals("meta");
    arrives(&arrivals).await;
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Retry(50))]).await.unwrap();
    arrives(&arrivals).await;
}
