//! Keeping: what is swept, what survives, and the end.

use super::*;

const RETENTION: Retention = Retention { journal_ms: 1000, dead_ms: 5000, chain_ms: 5000 };

/// Sweeps until nothing is left to sweep; gives how many records went.
async fn sweep_all(queue: &Arc<dyn Queue>, now_ms: u64) -> usize {
    swept(queue, now_ms, RETENTION).await.records
}

pub(crate) async fn sweep_removes_what_is_old_and_done(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let field = ProfileField { name: "email".into(), value: "a@b.example".into(), seen_ms: 10 };
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 900 }];
    queue.append(Entry { profile, ..due("old", 1, 10) }).await.unwrap();
    queue.append(Entry { received_ms: 500, ..due("young", 2, 10) }).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(leased.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect()).await.unwrap();
    assert_eq!(sweep_all(&queue, 800).await, 0);
    let swept = swept(&queue, 1011, RETENTION).await;
    assert_eq!(swept, Swept { records: 1, fields: usize::from(backend.sweeps_profiles()), links: 0 });
    assert!(queue.find("old").await.unwrap().is_empty());
    assert_eq!(queue.find("young").await.unwrap().len(), 1);
    // Its mark has gone with it.
    assert_eq!(queue.append(due("old", 3, 10)).await.unwrap(), Appended::Stored);
    assert_eq!(queue.append(due("young", 4, 10)).await.unwrap(), Appended::Duplicate);
}

pub(crate) async fn sweep_removes_what_was_cancelled(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("old", 1, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Cancelled("withdrawn".into()))]).await.unwrap();
    assert_eq!(sweep_all(&queue, 800).await, 0);
    assert_eq!(sweep_all(&queue, 1_011).await, 1);
    assert!(queue.find("old").await.unwrap().is_empty());
}

pub(crate) async fn sweep_never_touches_what_waits(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("waits", 1, 10)).await.unwrap();
    let deliveries = vec![delivery(2, "meta", NewState::Due(10)), delivery(3, "ga4", NewState::Due(10))];
    queue.append(Entry { deliveries, ..entry("half done") }).await.unwrap();
    let ga4 = queue.lease(wish("ga4", 10)).await.unwrap().deliveries;
    queue.settle(vec![attempt(&ga4[0], 20, Outcome::Delivered)]).await.unwrap();
    assert_eq!(sweep_all(&queue, 1_000_000).await, 0);
    let leased = lease(&queue, 1_000_000).await;
    assert_eq!(sweep_all(&queue, 1_000_000).await, 0, "what is leased waits too");
    assert_eq!(keys(&leased), [key(1), key(2)]);
    queue.settle(leased.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect()).await.unwrap();
    assert_eq!(sweep_all(&queue, 1_000_000).await, 2);
}

pub(crate) async fn sweep_keeps_dead_letters_for_their_own_time(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(dead("a", 1, "no")).await.unwrap();
    assert_eq!(sweep_all(&queue, 5010).await, 0);
    assert_eq!(letters(&queue).await.len(), 1);
    assert_eq!(queue.append(due("a", 2, 10)).await.unwrap(), Appended::Duplicate, "its entry is kept with it");
    assert_eq!(sweep_all(&queue, 5011).await, 2, "the letter and its entry");
    assert!(letters(&queue).await.is_empty());
    assert_eq!(queue.counts().await.unwrap(), []);
}

pub(crate) async fn sweep_is_bounded_and_comes_to_an_end(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let mut appends = tokio::task::JoinSet::new();
    for n in 0..1500 {
        let queue = queue.clone();
        // Every third has to stay, in between those that go.
        let some = if n % 3 == 0 { due(&n.to_string(), n, 10) } else { entry(&n.to_string()) };
        appends.spawn(async move { queue.append(some).await.unwrap() });
    }
    appends.join_all().await;
    assert_eq!(sweep_all(&queue, 2000).await, 1000);
    assert_eq!(queue.recent(2000).await.unwrap().len(), 500);
}

pub(crate) async fn everything_survives_a_crash(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue).await;
    let before = picture(&queue).await;
    backend.crash();
    let queue = backend.open(roomy());
    assert_eq!(picture(&queue).await, before);
    assert_eq!(queue.append(due("waits", 9, 10)).await.unwrap(), Appended::Duplicate);
}

pub(crate) async fn everything_survives_a_close(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue).await;
    let before = picture(&queue).await;
    queue.close().await.unwrap();
    let queue = backend.open(roomy());
    assert_eq!(picture(&queue).await, before);
    assert_eq!(keys(&lease(&queue, 1000).await), [key(1), key(3)]);
}

pub(crate) async fn leases_do_not_survive_a_crash_for_long(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let before = lease(&queue, 10).await;
    backend.crash();
    let queue = backend.open(roomy());
    // A backend whose leases are shared may wait for their end; none may wait for longer.
    let after = lease(&queue, 110).await;
    assert_eq!(keys(&after), [key(1)]);
    let stale = queue.settle(vec![attempt(&before[0], 111, Outcome::Delivered)]).await.unwrap();
    assert_eq!(stale, [Settled::LeaseLost]);
    assert_eq!(after[0].payload, b"payload 1");
}

pub(crate) async fn a_closed_queue_refuses(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    // What was asked before the end is still answered.
    let last = queue.append(due("b", 2, 10));
    assert_eq!(last.await.unwrap(), Appended::Stored);
    queue.close().await.unwrap();
    assert!(matches!(queue.append(due("c", 3, 10)).await, Err(Error::Closed)));
    assert!(matches!(queue.lease(wish("meta", 10)).await, Err(Error::Closed)));
    assert!(matches!(queue.settle(Vec::new()).await, Err(Error::Closed)));
    let renewal = Renewal { leases: Vec::new(), now_ms: 10, until_ms: 20 };
    assert!(matches!(queue.renew(renewal).await, Err(Error::Closed)));
    assert!(matches!(queue.export(None, 10).await, Err(Error::Closed)));
    assert!(matches!(queue.import(Vec::new()).await, Err(Error::Closed)));
    assert!(matches!(queue.find("a").await, Err(Error::Closed)));
    assert!(matches!(queue.profile("shop/user/1", 10).await, Err(Error::Closed)));
    assert!(matches!(queue.counts().await, Err(Error::Closed)));
    assert!(matches!(queue.settings().await, Err(Error::Closed)));
    assert!(matches!(queue.set("a", None).await, Err(Error::Closed)));
    assert!(matches!(queue.health().await, Err(Error::Closed)));
}

pub(crate) async fn an_open_queue_is_healthy_and_tells_its_durability(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.health().await.unwrap();
    assert!(queue.durability().meaning.starts_with("an acknowledged event "));
}

/// One of everything.
async fn fill(queue: &Arc<dyn Queue>) {
    queue.append(due("waits", 1, 10)).await.unwrap();
    for n in 2..=4 {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    let outcomes = [Outcome::Delivered, Outcome::Retry(500), Outcome::Dead("no".into())];
    let leased = lease(queue, 10).await;
    let attempts = leased[1..].iter().zip(outcomes).map(|(lease, outcome)| attempt(lease, 20, outcome));
    queue.settle(attempts.collect()).await.unwrap();
    queue.release(vec![(leased[0].key, leased[0].token)]).await.unwrap();
    let field = ProfileField { name: "email".into(), value: "a@b.example".into(), seen_ms: 10 };
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 1000 }];
    queue.append(Entry { profile, ..entry("5") }).await.unwrap();
    queue.append(entry("5")).await.unwrap();
    queue.set("destination/meta", Some("off".into())).await.unwrap();
}

/// All that can be read, as text.
async fn picture(queue: &Arc<dyn Queue>) -> String {
    let mut traces = Vec::new();
    for id in ["waits", "2", "3", "4", "5"] {
        traces.push(queue.find(id).await.unwrap());
    }
    let profile = queue.profile("shop/user/1", 10).await.unwrap();
    let (counts, settings) = (queue.counts().await.unwrap(), queue.settings().await.unwrap());
    format!(
        "{settings:?} {traces:?} {:?} {profile:?} {counts:?} {:?}",
        queue.recent(10).await.unwrap(),
        letters(queue).await
    )
}
