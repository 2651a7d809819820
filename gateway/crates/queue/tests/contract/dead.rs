//! Dead letters: found, put back, or deleted.

use super::*;

fn filter() -> DeadFilter {
    DeadFilter { limit: 100, ..DeadFilter::default() }
}

async fn found(queue: &Arc<dyn Queue>, filter: DeadFilter) -> Vec<DeliveryKey> {
    queue.dead_letters(filter).await.unwrap().iter().map(|letter| letter.key).collect()
}

fn as_recorded(n: u64) -> Replay {
    Replay { key: key(n), with: ReplayWith::AsRecorded }
}

pub(crate) async fn letters_come_newest_first_in_pages(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in [3, 1, 5, 2, 4] {
        queue.append(dead(&n.to_string(), n, "no")).await.unwrap();
    }
    let page = |before, limit| DeadFilter { before, limit, ..filter() };
    assert_eq!(found(&queue, page(None, 2)).await, [key(5), key(4)]);
    assert_eq!(found(&queue, page(Some(key(4)), 2)).await, [key(3), key(2)]);
    assert_eq!(found(&queue, page(Some(key(2)), 2)).await, [key(1)]);
    assert_eq!(found(&queue, page(Some(key(1)), 2)).await, []);
    assert_eq!(found(&queue, page(None, 0)).await, []);
}

pub(crate) async fn letters_are_filtered(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let deliveries = vec![
        delivery(1, "meta", NewState::Dead("Bad ÜBER pixel".into())),
        delivery(2, "ga4", NewState::Dead("100%_sure".into())),
        delivery(3, "ga4", NewState::Due(10)),
    ];
    queue.append(Entry { deliveries, ..entry("a") }).await.unwrap();
    queue.append(dead("b", 4, "bad token")).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(&queue, DeadFilter { destination: text("meta"), ..filter() }).await, [key(4), key(1)]);
    assert_eq!(found(&queue, DeadFilter { entry_id: text("a"), ..filter() }).await, [key(2), key(1)]);
    assert_eq!(found(&queue, DeadFilter { reason: text("BAD"), ..filter() }).await, [key(4), key(1)]);
    assert_eq!(found(&queue, DeadFilter { reason: text("über"), ..filter() }).await, [key(1)]);
    assert_eq!(found(&queue, DeadFilter { reason: text("%_s"), ..filter() }).await, [key(2)]);
    assert_eq!(found(&queue, DeadFilter { reason: text("%"), limit: 1, ..filter() }).await, [key(2)]);
    let all = DeadFilter { entry_id: text("a"), destination: text("meta"), reason: text("pixel"), ..filter() };
    assert_eq!(found(&queue, DeadFilter { before: Some(key(2)), ..all.clone() }).await, [key(1)]);
    assert_eq!(found(&queue, DeadFilter { before: Some(key(1)), ..all }).await, []);
}

pub(crate) async fn replay_as_recorded_starts_anew(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Dead("no".into()))]).await.unwrap();
    assert_eq!(queue.replay(vec![as_recorded(1)], 70).await.unwrap(), 1);
    assert!(letters(&queue).await.is_empty());
    assert!(lease(&queue, 69).await.is_empty());
    let again = lease(&queue, 70).await;
    assert_eq!((again[0].attempts, again[0].queued_ms), (0, 70));
    assert_eq!(again[0].payload, b"payload 1");
    // The trace goes on where it was.
    queue.settle(vec![attempt(&again[0], 80, Outcome::Delivered)]).await.unwrap();
    let trace = queue.find("a").await.unwrap().remove(0).deliveries.remove(0);
    assert_eq!((trace.state, trace.reason.as_deref()), (State::Delivered, None));
    assert_eq!(trace.attempts, [b"attempt at 20", b"attempt at 80"]);
}

pub(crate) async fn replay_instead_replaces_the_letter(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(dead("a", 1, "no")).await.unwrap();
    let instead = vec![
        delivery(2, "meta", NewState::Due(70)),
        delivery(3, "meta", NewState::Due(90)),
        delivery(4, "meta", NewState::Dead("still no".into())),
    ];
    let letter = Replay { key: key(1), with: ReplayWith::Instead(instead) };
    assert_eq!(queue.replay(vec![letter], 60).await.unwrap(), 1);
    assert_eq!(found(&queue, filter()).await, [key(4)]);
    assert_eq!(letters(&queue).await[0].died_ms, 60);
    let leased = queue.lease(wish("meta", 70)).await.unwrap();
    assert_eq!((keys(&leased.deliveries), leased.next_due_ms), (vec![key(2)], Some(90)));
    assert_eq!((&*leased.deliveries[0].entry.id, leased.deliveries[0].queued_ms), ("a", 60));
    assert_eq!(leased.deliveries[0].payload, b"payload 2");
    let deliveries = queue.find("a").await.unwrap().remove(0).deliveries;
    assert_eq!(deliveries.iter().map(|one| one.key).collect::<Vec<_>>(), [key(2), key(3), key(4)]);
    // Nothing instead of it is an answer too.
    let nothing = Replay { key: key(4), with: ReplayWith::Instead(Vec::new()) };
    assert_eq!(queue.replay(vec![nothing], 60).await.unwrap(), 1);
    assert!(letters(&queue).await.is_empty());
}

pub(crate) async fn replay_of_what_is_not_dead_does_nothing(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    queue.append(dead("b", 2, "no")).await.unwrap();
    let all = vec![as_recorded(1), as_recorded(2), as_recorded(2), as_recorded(3)];
    assert_eq!(queue.replay(all, 20).await.unwrap(), 1);
    assert_eq!(keys(&lease(&queue, 20).await), [key(1), key(2)]);
    assert_eq!(queue.replay(vec![as_recorded(1)], 20).await.unwrap(), 0);
}

pub(crate) async fn a_full_queue_refuses_replay(backend: &mut dyn Backend) {
    let queue = backend.open(Limits::overall(1));
    queue.append(dead("a", 1, "no")).await.unwrap();
    queue.append(due("b", 2, 10)).await.unwrap();
    let refused = queue.replay(vec![as_recorded(1)], 20).await;
    assert!(matches!(refused, Err(Error::Full { destination: None, waiting: 1, max: 1 })), "{refused:?}");
    assert_eq!(found(&queue, filter()).await, [key(1)]);
}

pub(crate) async fn a_full_destination_refuses_replay(backend: &mut dyn Backend) {
    for when_full in [WhenFull::Refuse, WhenFull::Die] {
        let queue = backend.open(capped("meta", 2, when_full));
        queue.append(dead("a", 1, "no")).await.unwrap();
        queue.append(dead("b", 2, "no")).await.unwrap();
        queue.append(due("c", 3, 10)).await.unwrap();
        let refused = queue.replay(vec![as_recorded(1), as_recorded(2)], 20).await;
        assert!(
            matches!(&refused, Err(Error::Full { destination: Some(name), waiting: 1, max: 2 }) if name == "meta"),
            "{refused:?}"
        );
        let instead = [4, 5].map(|n| delivery(n, "meta", NewState::Due(20)));
        let letter = Replay { key: key(1), with: ReplayWith::Instead(instead.into()) };
        assert!(queue.replay(vec![letter], 20).await.is_err());
        assert_eq!(found(&queue, filter()).await, [key(2), key(1)]);
        let instead = ReplayWith::Instead(vec![delivery(4, "ga4", NewState::Due(20))]);
        let letters = vec![as_recorded(1), Replay { key: key(2), with: instead }, as_recorded(99)];
        assert_eq!(queue.replay(letters, 20).await.unwrap(), 2, "other destinations have their own room");
        // Empty again for the next turn.
        let waiting = [queue.lease(wish("meta", 20)).await.unwrap(), queue.lease(wish("ga4", 20)).await.unwrap()];
        let waiting = waiting.iter().flat_map(|leased| &leased.deliveries);
        let done = waiting.map(|lease| attempt(lease, 20, Outcome::Delivered)).collect();
        assert_eq!(queue.settle(done).await.unwrap(), [Settled::Recorded; 3]);
        swept(&queue, 1_000_000, Retention { journal_ms: 0, dead_ms: 0, chain_ms: 0 }).await;
        queue.close().await.unwrap();
    }
}

pub(crate) async fn purge_deletes_for_good(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(dead("a", 1, "no")).await.unwrap();
    queue.append(due("b", 2, 10)).await.unwrap();
    assert_eq!(queue.purge(vec![key(1), key(2), key(3)]).await.unwrap(), 1);
    assert!(letters(&queue).await.is_empty());
    assert_eq!(queue.replay(vec![as_recorded(1)], 20).await.unwrap(), 0);
    assert!(queue.find("a").await.unwrap()[0].deliveries.is_empty());
    assert_eq!(keys(&lease(&queue, 20).await), [key(2)]);
}

pub(crate) async fn replay_notifies_its_destination(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(dead("a", 1, "no")).await.unwrap();
    let arrivals = queue.arrivals("meta");
    assert!(lease(&queue, 10).await.is_empty());
    queue.replay(vec![as_recorded(1)], 20).await.unwrap();
    arrives(&arrivals).await;
}
