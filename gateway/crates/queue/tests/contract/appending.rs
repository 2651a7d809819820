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
