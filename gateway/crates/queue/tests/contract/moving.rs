//! Moving: all that one store holds comes into another one as it was. The other one is the reference.

use super::memory::MemoryQueue;
use super::*;

fn reference() -> Arc<dyn Queue> {
    Arc::new(MemoryQueue::open(Arc::default(), roomy()))
}

/// One of everything, the same in every store.
async fn fill(queue: &Arc<dyn Queue>) {
    for n in 1..=5 {
        let mut due = due(&format!("e{n}"), n, 10 * n);
        due.received_ms = n;
        due.deliveries.push(delivery(10 + n, "ga4", NewState::Due(100 - n)));
        queue.append(due).await.unwrap();
    }
    let leased = lease(queue, 30).await;
    let outcomes = [Outcome::Delivered, Outcome::Retry(45), Outcome::Dead("no such pixel".into())];
    let attempts = leased.iter().zip(outcomes).map(|(lease, outcome)| attempt(lease, 40, outcome));
    queue.settle(attempts.collect()).await.unwrap();
    let again = lease(queue, 45).await;
    assert_eq!(keys(&again), [key(4), key(2)]);
    queue.settle(vec![attempt(&again[1], 46, Outcome::Retry(50))]).await.unwrap();
    let fields = |value: &str, seen_ms| {
        ["email", "phone"].map(|name| ProfileField { name: name.into(), value: value.into(), seen_ms }).into()
    };
    let profile = vec![
        ProfilePatch { key: "shop/user/1".into(), fields: fields("one", 5), expires_ms: 10_000 },
        ProfilePatch { key: "shop/anonymous/2".into(), fields: fields("two", 6), expires_ms: 20_000 },
    ];
    queue.append(Entry { received_ms: 6, profile, affinity: "visitor 2".into(), ..dead("e6", 6, "") }).await.unwrap();
    for _ in 0..3 {
        queue.append(entry("e1")).await.unwrap();
    }
    queue.set("destination/meta", Some("off".into())).await.unwrap();
}

/// Everything, in pages of this many items.
async fn export(queue: &Arc<dyn Queue>, limit: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = queue.export(after, limit).await.unwrap();
        assert!(page.items.iter().filter(|item| matches!(item, Item::Entry(_))).count() <= limit);
        items.extend(page.items);
        let Some(next) = page.next else { return items };
        after = Some(next);
    }
}

/// The order is the backend's own, but for this: entries come before profiles, and settings last.
fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    assert!(items.is_sorted_by_key(|item| match item {
        Item::Entry(_) => 0,
        Item::Profile(_) => 1,
        Item::Setting(_) => 2,
    }));
    for item in &mut items {
        if let Item::Profile(profile) = item {
            profile.fields.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        }
    }
    items.sort_by_key(|item| match item {
        Item::Entry(entry) => (0, entry.key.id.clone()),
        Item::Profile(profile) => (1, profile.key.clone()),
        Item::Setting(setting) => (2, setting.name.clone()),
    });
    items
}

/// All that can be read, as text.
async fn picture(queue: &Arc<dyn Queue>) -> String {
    let mut text = String::new();
    for n in 1..=6 {
        text += &format!("{:#?}", queue.find(&format!("e{n}")).await.unwrap());
    }
    text += &format!("{:#?}", letters(queue).await);
    text += &format!("{:#?}{:#?}", queue.counts().await.unwrap(), queue.settings().await.unwrap());
    for key in ["shop/user/1", "shop/anonymous/2"] {
        let mut fields = queue.profile(key, 10).await.unwrap();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        text += &format!("{fields:#?}");
    }
    text
}

/// What comes at which destination, in its order.
async fn leases(queue: &Arc<dyn Queue>, now_ms: u64) -> Vec<(DeliveryKey, EntryKey, Vec<u8>, u32, u64)> {
    let mut all = Vec::new();
    for destination in ["meta", "ga4"] {
        let leased = queue.lease(wish(destination, now_ms)).await.unwrap().deliveries;
        all.extend(leased.into_iter().map(|one| (one.key, one.entry, one.payload, one.attempts, one.queued_ms)));
    }
    all
}

pub(crate) async fn an_empty_store_exports_nothing(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let page = queue.export(None, 10).await.unwrap();
    assert_eq!((page.items, page.next), (Vec::new(), None));
}

pub(crate) async fn an_export_holds_all_that_is_stored(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&queue).await;
    fill(&reference).await;
    let items = sorted(export(&queue, 1000).await);
    assert_eq!(items, sorted(export(&reference, 1000).await));
    let Item::Entry(second) = &items[1] else { panic!("entries come first") };
    assert_eq!((&*second.affinity, second.deliveries[0].queued_ms, second.deliveries[0].attempts), ("visitor", 2, 2));
    assert_eq!(second.deliveries[0].records, [b"attempt at 40", b"attempt at 46"]);
    // A lease is not part of it.
    let Item::Entry(fourth) = &items[3] else { panic!("entries come first") };
    assert_eq!(fourth.deliveries[0].state, StoredState::Waiting(40));
}

pub(crate) async fn pages_of_one_give_what_one_page_gives(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue).await;
    let whole = export(&queue, 1000).await;
    assert_eq!(whole.len(), 9);
    assert_eq!(export(&queue, 1).await, whole);
    assert_eq!(export(&queue, 3).await, whole);
}

pub(crate) async fn what_is_imported_is_as_it_was(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    let before = picture(&reference).await;
    assert_eq!(queue.import(export(&reference, 1000).await).await.unwrap(), 9);
    assert_eq!(picture(&queue).await, before);
    let ids = |recent: Vec<Journal>| recent.into_iter().map(|journal| journal.key.id).collect::<Vec<_>>();
    assert_eq!(ids(queue.recent(3).await.unwrap()), ["e6", "e5", "e4"]);
    // Leases stay behind; by this time those of the reference have ended, too.
    assert_eq!(leases(&queue, 1000).await, leases(&reference, 1000).await);
    assert_eq!(sorted(export(&queue, 2).await), sorted(export(&reference, 1000).await));
}

pub(crate) async fn what_is_imported_goes_on_as_ever(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    queue.import(export(&reference, 1000).await).await.unwrap();
    let leased = lease(&queue, 50).await;
    assert_eq!(keys(&leased), [key(4), key(2), key(5)]);
    queue.settle(vec![attempt(&leased[1], 60, Outcome::Dead("enough".into()))]).await.unwrap();
    let trace = queue.find("e2").await.unwrap().remove(0).deliveries.remove(0);
    assert_eq!(trace.attempts, [b"attempt at 40", b"attempt at 46", b"attempt at 60"]);
    let letter = Replay { key: key(3), with: ReplayWith::AsRecorded };
    assert_eq!(queue.replay(vec![letter], 70).await.unwrap(), 1);
    assert_eq!(keys(&lease(&queue, 70).await), [key(3)]);
    assert_eq!(letters(&queue).await.iter().map(|one| one.key).collect::<Vec<_>>(), [key(6), key(2)]);
}

pub(crate) async fn importing_twice_adds_nothing(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    let items = export(&reference, 1000).await;
    assert_eq!(queue.import(items[..3].to_vec()).await.unwrap(), 3);
    assert_eq!(queue.import(items.clone()).await.unwrap(), 6);
    let before = picture(&queue).await;
    assert_eq!(queue.import(items).await.unwrap(), 0);
    assert_eq!(picture(&queue).await, before);
}

pub(crate) async fn an_import_keeps_the_marks(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    queue.import(export(&reference, 1000).await).await.unwrap();
    assert_eq!(queue.append(due("e1", 99, 10)).await.unwrap(), Appended::Duplicate);
    let again = Entry { affinity: "visitor 2".into(), ..due("e6", 99, 10) };
    assert_eq!(queue.append(again).await.unwrap(), Appended::Duplicate);
    assert_eq!(queue.find("e1").await.unwrap()[0].duplicates, 4);
}

pub(crate) async fn an_import_leaves_what_is_here(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    let field = |name: &str, value: &str, seen_ms| ProfileField { name: name.into(), value: value.into(), seen_ms };
    let fields = vec![field("email", "newer here", 6), field("phone", "as new here", 5)];
    let profile = vec![
        ProfilePatch { key: "shop/user/1".into(), fields, expires_ms: 9_000 },
        ProfilePatch { key: "shop/anonymous/2".into(), fields: vec![field("email", "older", 5)], expires_ms: 9_000 },
    ];
    queue.append(Entry { record: b"here".into(), profile, ..due("e1", 77, 10) }).await.unwrap();
    queue.set("destination/meta", Some("here".into())).await.unwrap();
    assert_eq!(queue.import(export(&reference, 1000).await).await.unwrap(), 6, "five entries and one profile");
    assert_eq!(queue.settings().await.unwrap()[0].value, "here");
    let found = queue.find("e1").await.unwrap();
    assert_eq!((found[0].record.as_slice(), found[0].deliveries.len()), (&b"here"[..], 1));
    let mut fields = queue.profile("shop/user/1", 10).await.unwrap();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(fields, [field("email", "newer here", 6), field("phone", "as new here", 5)]);
    assert_eq!(queue.profile("shop/anonymous/2", 10_000).await.unwrap().len(), 2, "what is newer came with its expiry");
}

pub(crate) async fn an_import_is_counted_and_notified(backend: &mut dyn Backend) {
    let (queue, reference) = (backend.open(roomy()), reference());
    fill(&reference).await;
    let arrivals = queue.arrivals("ga4");
    assert!(queue.lease(wish("ga4", 1000)).await.unwrap().deliveries.is_empty());
    queue.import(export(&reference, 1000).await).await.unwrap();
    arrives(&arrivals).await;
    assert_eq!(queue.lease(wish("ga4", 1000)).await.unwrap().deliveries.len(), 5);
}

pub(crate) async fn an_import_takes_no_heed_of_limits(backend: &mut dyn Backend) {
    let cap = Cap { waiting_max: 1, when_full: WhenFull::Die };
    let queue = backend.open(Limits { waiting_max: 1, destinations: [("meta".to_owned(), cap)].into() });
    let reference = reference();
    fill(&reference).await;
    assert_eq!(queue.import(export(&reference, 1000).await).await.unwrap(), 9);
    assert_eq!(queue.counts().await.unwrap(), reference.counts().await.unwrap());
    // What comes after it does.
    assert_eq!(queue.append(due("new", 99, 10)).await.unwrap(), Appended::Stored);
    assert_eq!(letters(&queue).await[0].reason, "the queue of `meta` is full: 3 deliveries wait, 1 are allowed");
    let other = Entry { deliveries: vec![delivery(100, "ga4", NewState::Due(10))], ..entry("other") };
    assert!(matches!(queue.append(other).await, Err(Error::Full { destination: None, waiting: 8, max: 1 })));
}
