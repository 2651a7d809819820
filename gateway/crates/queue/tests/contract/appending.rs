//! Appending: whole entries, once each, within bounds.

use super::*;

pub(crate) async fn an_entry_is_stored_with_all_its_deliveries(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let deliveries = vec![delivery(1, "meta", NewState::Due(10)), delivery(2, "ga4", NewState::Due(10))];
    assert_eq!(queue.append(Entry { deliveries, ..entry("a") }).await.unwrap(), Appended::Stored);
    let found = queue.find("a").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].received_ms, found[0].duplicates), (10, 0));
    assert_eq!(found[0].record, b"record of a");
    let seen: Vec<_> = found[0].deliveries.iter().map(|one| (one.key, &*one.destination, one.state)).collect();
    assert_eq!(seen, [(key(1), "meta", State::Waiting(10)), (key(2), "ga4", State::Waiting(10))]);
    assert_eq!(found[0].deliveries[1].payload, b"payload 2");
}

pub(crate) async fn the_same_key_is_stored_once_and_counted(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    assert_eq!(queue.append(due("a", 1, 10)).await.unwrap(), Appended::Stored);
    assert_eq!(queue.append(due("a", 2, 10)).await.unwrap(), Appended::Duplicate);
    assert_eq!(queue.append(due("a", 3, 10)).await.unwrap(), Appended::Duplicate);
    assert_eq!(queue.find("a").await.unwrap()[0].duplicates, 2);
    assert_eq!(keys(&lease(&queue, 10).await), [key(1)]);
}

pub(crate) async fn concurrent_appends_of_one_key_store_it_once(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let queue = queue.clone();
        tasks.spawn(async move { queue.append(due(&format!("{}", n % 4), n, 10)).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Appended::Stored).count(), 4);
    assert_eq!(lease(&queue, 10).await.len(), 4);
    assert_eq!(queue.find("0").await.unwrap()[0].duplicates, 9);
}

pub(crate) async fn the_same_id_in_another_scope_is_another_entry(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let other = Entry { key: EntryKey { scope: "blog".into(), id: "a".into() }, ..due("a", 2, 11) };
    assert_eq!(queue.append(other).await.unwrap(), Appended::Stored);
    let leased = lease(&queue, 11).await;
    let scopes: Vec<_> = leased.iter().map(|lease| &*lease.entry.scope).collect();
    assert_eq!(scopes, ["shop", "blog"]);
}

pub(crate) async fn a_duplicate_changes_nothing_but_its_count(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let field = ProfileField { name: "email".into(), value: "a@b.example".into(), seen_ms: 1 };
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 1000 }];
    queue.append(Entry { record: b"other".into(), profile, ..due("a", 2, 10) }).await.unwrap();
    assert_eq!(queue.find("a").await.unwrap()[0].record, b"record of a");
    assert_eq!(queue.profile("shop/user/1", 10).await.unwrap(), []);
    assert_eq!(queue.counts().await.unwrap()[0].waiting, 1);
}

pub(crate) async fn an_entry_without_deliveries_is_journalled(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(entry("dropped by consent")).await.unwrap();
    let found = queue.find("dropped by consent").await.unwrap();
    assert!(found[0].deliveries.is_empty());
    assert_eq!(queue.append(entry("dropped by consent")).await.unwrap(), Appended::Duplicate);
    assert_eq!(queue.counts().await.unwrap(), []);
}

pub(crate) async fn a_full_queue_refuses_and_stores_nothing(backend: &mut dyn Backend) {
    let queue = backend.open(Limits::overall(2));
    queue.append(due("a", 1, 10)).await.unwrap();
    let deliveries = vec![delivery(2, "meta", NewState::Due(10)), delivery(3, "ga4", NewState::Due(10))];
    let refused = queue.append(Entry { deliveries, ..entry("b") }).await;
    assert!(matches!(refused, Err(Error::Full { destination: None, waiting: 1, max: 2 })), "{refused:?}");
    assert!(queue.find("b").await.unwrap().is_empty());
    queue.append(due("c", 4, 10)).await.unwrap();
    assert!(matches!(queue.append(due("d", 5, 10)).await, Err(Error::Full { .. })));
    // What waits for nothing needs no room, and what was delivered gives room again.
    queue.append(entry("e")).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 11, Outcome::Delivered)]).await.unwrap();
    queue.append(due("d", 5, 10)).await.unwrap();
}

pub(crate) async fn a_full_queue_still_knows_duplicates(backend: &mut dyn Backend) {
    let queue = backend.open(Limits::overall(1));
    queue.append(due("a", 1, 10)).await.unwrap();
    assert_eq!(queue.append(due("a", 2, 10)).await.unwrap(), Appended::Duplicate);
    assert_eq!(queue.find("a").await.unwrap()[0].duplicates, 1);
}

fn two(id: &str, n: u64, destinations: [&str; 2]) -> Entry {
    let [one, other] = destinations;
    let deliveries = vec![delivery(n, one, NewState::Due(10)), delivery(n + 1, other, NewState::Due(10))];
    Entry { deliveries, ..entry(id) }
}

pub(crate) async fn a_full_destination_refuses_the_whole_entry(backend: &mut dyn Backend) {
    let queue = backend.open(capped("meta", 1, WhenFull::Refuse));
    queue.append(due("a", 1, 10)).await.unwrap();
    let refused = queue.append(two("b", 2, ["ga4", "meta"])).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Full { destination: Some(name), waiting: 1, max: 1 } if name == "meta"),
        "{refused:?}"
    );
    assert_eq!(refused.to_string(), "the queue of `meta` is full: 1 deliveries wait, 1 are allowed");
    assert!(queue.find("b").await.unwrap().is_empty());
    assert_eq!(queue.counts().await.unwrap().len(), 1, "nothing of it is stored");
    queue.append(two("c", 4, ["ga4", "ga4"])).await.unwrap();
    queue.append(dead("d", 6, "no")).await.unwrap();
    // What is leased waits still; what was delivered gives room.
    let leased = lease(&queue, 10).await;
    assert!(matches!(queue.append(due("e", 7, 10)).await, Err(Error::Full { .. })));
    queue.settle(vec![attempt(&leased[0], 11, Outcome::Delivered)]).await.unwrap();
    queue.append(two("b", 2, ["ga4", "meta"])).await.unwrap();
}

pub(crate) async fn a_full_destination_lets_what_it_has_no_room_for_die(backend: &mut dyn Backend) {
    let queue = backend.open(capped("meta", 1, WhenFull::Die));
    queue.append(due("a", 1, 10)).await.unwrap();
    assert_eq!(queue.append(two("b", 2, ["ga4", "meta"])).await.unwrap(), Appended::Stored);
    assert_eq!(keys(&queue.lease(wish("ga4", 10)).await.unwrap().deliveries), [key(2)]);
    let letters = letters(&queue).await;
    assert_eq!((letters.len(), letters[0].key, letters[0].died_ms), (1, key(3), 10));
    assert_eq!(letters[0].reason, "the queue of `meta` is full: 1 deliveries wait, 1 are allowed");
    assert_eq!(letters[0].payload, b"payload 3");
    assert_eq!(keys(&lease(&queue, 10).await), [key(1)]);
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts[1].waiting, counts[1].dead), (1, 1));
}

pub(crate) async fn a_limit_counts_the_deliveries_of_one_entry(backend: &mut dyn Backend) {
    let queue = backend.open(Limits {
        waiting_max: 4,
        destinations: [
            ("meta".to_owned(), Cap { waiting_max: 1, when_full: WhenFull::Refuse }),
            ("ga4".to_owned(), Cap { waiting_max: 1, when_full: WhenFull::Die }),
            ("none".to_owned(), Cap { waiting_max: 0, when_full: WhenFull::Die }),
        ]
        .into(),
    });
    let refused = queue.append(two("a", 1, ["meta", "meta"])).await;
    assert!(matches!(&refused, Err(Error::Full { destination: Some(_), waiting: 0, max: 1 })), "{refused:?}");
    queue.append(two("b", 3, ["ga4", "ga4"])).await.unwrap();
    queue.append(two("c", 5, ["none", "hook"])).await.unwrap();
    queue.append(two("d", 7, ["hook", "hook"])).await.unwrap();
    // What dies needs no room in the whole.
    queue.append(two("e", 9, ["none", "ga4"])).await.unwrap();
    let told: Vec<_> = letters(&queue).await.into_iter().map(|one| (one.key, one.reason)).collect();
    let full = |of: &str, max| format!("the queue of `{of}` is full: {max} deliveries wait, {max} are allowed");
    assert_eq!(
        told,
        [(key(10), full("ga4", 1)), (key(9), full("none", 0)), (key(5), full("none", 0)), (key(4), full("ga4", 1)),]
    );
    assert!(matches!(queue.append(due("f", 11, 10)).await, Err(Error::Full { destination: None, waiting: 4, max: 4 })));
}

pub(crate) async fn a_full_destination_still_knows_duplicates(backend: &mut dyn Backend) {
    let queue = backend.open(capped("meta", 1, WhenFull::Refuse));
    queue.append(due("a", 1, 10)).await.unwrap();
    assert_eq!(queue.append(due("a", 2, 10)).await.unwrap(), Appended::Duplicate);
    queue.close().await.unwrap();
    let queue = backend.open(capped("meta", 1, WhenFull::Die));
    assert_eq!(queue.append(due("a", 2, 10)).await.unwrap(), Appended::Duplicate);
    assert!(letters(&queue).await.is_empty());
    assert_eq!(queue.find("a").await.unwrap()[0].duplicates, 2);
}

pub(crate) async fn a_delivery_may_be_born_dead(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(dead("a", 1, "transform failed")).await.unwrap();
    assert!(lease(&queue, 1000).await.is_empty());
    let letters = letters(&queue).await;
    assert_eq!((letters[0].key, &*letters[0].reason, letters[0].died_ms), (key(1), "transform failed", 10));
    assert_eq!(letters[0].payload, b"payload 1");
    assert_eq!(queue.find("a").await.unwrap()[0].deliveries[0].reason.as_deref(), Some("transform failed"));
}

pub(crate) async fn odd_texts_and_empty_bytes_come_back_as_they_were(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let id = "it's \"ünï\" \u{0}💧%_; DROP TABLE entry";
    let mut odd = Entry { record: Vec::new(), ..due(id, 1, 10) };
    odd.deliveries[0].payload.clear();
    odd.deliveries.push(delivery(2, "", NewState::Due(u64::MAX)));
    queue.append(odd).await.unwrap();
    let leased = lease(&queue, 10).await;
    assert_eq!((&*leased[0].entry.id, leased[0].payload.len()), (id, 0));
    let found = queue.find(id).await.unwrap();
    assert_eq!((found[0].key.id.as_str(), found[0].record.len(), found[0].deliveries.len()), (id, 0, 2));
    assert!(queue.find("it's").await.unwrap().is_empty());
}

pub(crate) async fn a_limit_may_be_changed(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    queue.limit(capped("meta", 1, WhenFull::Refuse));
    let full = queue.append(due("b", 2, 10)).await.unwrap_err();
    assert!(matches!(full, Error::Full { destination: Some(name), waiting: 1, max: 1 } if name == "meta"));
    queue.limit(Limits::overall(1));
    let full = queue.append(due("b", 2, 10)).await.unwrap_err();
    assert!(matches!(full, Error::Full { destination: None, waiting: 1, max: 1 }));
    assert!(matches!(queue.health().await, Err(Error::Full { .. })), "and it says so");
    queue.limit(roomy());
    assert_eq!(queue.append(due("b", 2, 10)).await.unwrap(), Appended::Stored);
}
