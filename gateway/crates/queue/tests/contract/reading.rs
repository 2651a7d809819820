//! Reading: traces, counts and profiles.

use super::*;

pub(crate) async fn find_gives_the_whole_trace_in_every_scope(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let deliveries = vec![delivery(2, "meta", NewState::Due(10)), delivery(1, "ga4", NewState::Dead("no".into()))];
    queue.append(Entry { deliveries, ..entry("a") }).await.unwrap();
    queue.append(Entry { key: EntryKey { scope: "blog".into(), id: "a".into() }, ..entry("a") }).await.unwrap();
    queue.append(entry("b")).await.unwrap();
    let found = queue.find("a").await.unwrap();
    let mut scopes: Vec<_> = found.iter().map(|journal| &*journal.key.scope).collect();
    scopes.sort();
    assert_eq!(scopes, ["blog", "shop"]);
    let shop = found.iter().find(|journal| journal.key.scope == "shop").unwrap();
    let seen: Vec<_> = shop.deliveries.iter().map(|one| (one.key, one.state, one.reason.as_deref())).collect();
    assert_eq!(seen, [(key(1), State::Dead, Some("no")), (key(2), State::Waiting(10), None)]);
    assert_eq!(shop.deliveries[0].payload, b"payload 1");
    assert!(queue.find("c").await.unwrap().is_empty());
}

pub(crate) async fn recent_comes_newest_first_without_payloads(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=3 {
        queue.append(Entry { received_ms: 10 + n, ..due(&n.to_string(), n, 10) }).await.unwrap();
    }
    let leased = lease(&queue, 10).await;
    queue.settle(leased.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect()).await.unwrap();
    let recent = queue.recent(2).await.unwrap();
    assert_eq!(recent.iter().map(|journal| &*journal.key.id).collect::<Vec<_>>(), ["3", "2"]);
    assert_eq!(recent[0].record, b"record of 3");
    assert!(recent[0].deliveries[0].payload.is_empty());
    assert_eq!(recent[0].deliveries[0].attempts, [b"attempt at 20"]);
    assert!(queue.recent(0).await.unwrap().is_empty());
}

pub(crate) async fn counts_follow_every_change(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let count = |destination: &str, waiting, dead, oldest_queued_ms| Count {
        destination: destination.into(),
        waiting,
        dead,
        oldest_queued_ms,
    };
    assert_eq!(queue.counts().await.unwrap(), []);
    queue.append(Entry { received_ms: 5, ..due("a", 1, 10) }).await.unwrap();
    queue.append(Entry { received_ms: 6, ..due("b", 2, 20) }).await.unwrap();
    queue
        .append(Entry { deliveries: vec![delivery(3, "ga4", NewState::Dead("no".into()))], ..entry("c") })
        .await
        .unwrap();
    assert_eq!(queue.counts().await.unwrap(), [count("ga4", 0, 1, None), count("meta", 2, 0, Some(5))]);
    let leased = lease(&queue, 10).await;
    assert_eq!(queue.counts().await.unwrap()[1], count("meta", 2, 0, Some(5)), "what is leased still waits");
    queue.settle(vec![attempt(&leased[0], 11, Outcome::Delivered)]).await.unwrap();
    assert_eq!(queue.counts().await.unwrap()[1], count("meta", 1, 0, Some(6)));
    let leased = lease(&queue, 20).await;
    queue.settle(vec![attempt(&leased[0], 21, Outcome::Retry(30))]).await.unwrap();
    assert_eq!(queue.counts().await.unwrap()[1], count("meta", 1, 0, Some(6)));
    let leased = lease(&queue, 30).await;
    queue.settle(vec![attempt(&leased[0], 31, Outcome::Dead("no".into()))]).await.unwrap();
    assert_eq!(queue.counts().await.unwrap()[1], count("meta", 0, 1, None));
    let letters = [2, 3].map(|n| Replay { key: key(n), with: ReplayWith::AsRecorded });
    queue.replay(letters.into(), 40).await.unwrap();
    assert_eq!(queue.counts().await.unwrap(), [count("ga4", 1, 0, Some(40)), count("meta", 1, 0, Some(40))]);
}

fn seen(name: &str, value: &str, seen_ms: u64) -> ProfileField {
    ProfileField { name: name.into(), value: value.into(), seen_ms }
}

async fn patch(queue: &Arc<dyn Queue>, id: &str, fields: Vec<ProfileField>, expires_ms: u64) {
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields, expires_ms }];
    assert_eq!(queue.append(Entry { profile, ..entry(id) }).await.unwrap(), Appended::Stored);
}

pub(crate) async fn the_newest_field_of_a_profile_wins(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    patch(&queue, "a", vec![seen("email", "old", 10), seen("fbclid", "click", 20)], 1000).await;
    patch(&queue, "b", vec![seen("email", "new", 11), seen("fbclid", "stale", 19)], 1000).await;
    patch(&queue, "c", vec![seen("email", "as new, but later", 11)], 1000).await;
    let mut fields = queue.profile("shop/user/1", 10).await.unwrap();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(fields, [seen("email", "as new, but later", 11), seen("fbclid", "click", 20)]);
    assert_eq!(queue.profile("shop/user/2", 10).await.unwrap(), []);
}

pub(crate) async fn an_expired_field_is_forgotten(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    patch(&queue, "a", vec![seen("email", "short", 10)], 100).await;
    patch(&queue, "b", vec![seen("phone", "long", 10)], 200).await;
    assert_eq!(queue.profile("shop/user/1", 99).await.unwrap().len(), 2);
    assert_eq!(queue.profile("shop/user/1", 100).await.unwrap(), [seen("phone", "long", 10)]);
    assert_eq!(queue.profile("shop/user/1", 200).await.unwrap(), []);
}

pub(crate) async fn a_field_of_many_profiles_comes_in_their_order(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    patch(&queue, "a", vec![seen("email", "a:b@c.example", 10)], 100).await;
    let keys = ["shop/user/2", "shop/user/1", "shop/user/1"].map(str::to_owned);
    let email = Some(seen("email", "a:b@c.example", 10));
    let found = |name: &'static str, now_ms| queue.profile_field(name, keys.to_vec(), now_ms);
    assert_eq!(found("email", 99).await.unwrap(), [None, email.clone(), email]);
    assert_eq!(found("email", 100).await.unwrap(), [None, None, None], "it has expired");
    assert_eq!(found("phone", 99).await.unwrap(), [None, None, None]);
    assert_eq!(queue.profile_field("email", Vec::new(), 99).await.unwrap(), []);
}

pub(crate) async fn a_setting_is_what_was_written_last(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    assert_eq!(queue.settings().await.unwrap(), []);
    for (name, value) in
        [("b", Some("first")), ("a", Some("ü \0\n")), ("b", Some("other")), ("c", Some("")), ("d", None)]
    {
        queue.set(name, value.map(str::to_owned)).await.unwrap();
    }
    let all = || async {
        let all = queue.settings().await.unwrap().into_iter();
        all.map(|Setting { name, value }| (name, value)).collect::<Vec<_>>()
    };
    let expected = [("a", "ü \0\n"), ("b", "other"), ("c", "")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(all().await, expected);
    queue.set("a", None).await.unwrap();
    assert_eq!(all().await, expected[1..]);
}

pub(crate) async fn a_setting_notifies(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let news = queue.settings_news();
    queue.set("a", Some("1".into())).await.unwrap();
    arrives(&news).await;
    queue.set("a", None).await.unwrap();
    arrives(&news).await;
}
