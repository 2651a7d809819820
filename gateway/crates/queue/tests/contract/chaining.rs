//! Chaining: the log beside the queue grows at its end, is swept at its beginning, and moves whole.

use tidegate_queue::chain::{Ends, Hash, Head, Link, Verifier};

use super::memory::MemoryQueue;
use super::*;

const RETENTION: Retention = Retention { journal_ms: 1000, dead_ms: 1000, chain_ms: 1000 };

fn text(n: u64) -> Vec<u8> {
    format!("entry {n}: \0 ü").into_bytes()
}

/// Appends this many entries at 10, 20, 30 …
async fn fill(queue: &Arc<dyn Queue>, count: u64) {
    for n in 1..=count {
        assert_eq!(queue.chain_append(10 * n, text(n)).await.unwrap().seq, n);
    }
}

/// All that is kept, in pages of this many entries.
async fn all(queue: &Arc<dyn Queue>, limit: usize) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    loop {
        let page = queue.chain_page(links.last().map_or(0, |link| link.seq), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return links;
        }
        links.extend(page);
    }
}

/// Checks the whole log; gives its last place.
async fn verified(queue: &Arc<dyn Queue>) -> Head {
    let ends = queue.chain_ends().await.unwrap();
    let mut verifier = Verifier::after(ends.base);
    for link in all(queue, 7).await {
        verifier.next(&link).unwrap();
    }
    assert_eq!(verifier.last(), Some(ends.head));
    ends.head
}

async fn reference(count: u64) -> Arc<dyn Queue> {
    let reference: Arc<dyn Queue> = Arc::new(MemoryQueue::open(Arc::default(), roomy()));
    fill(&reference, count).await;
    reference
}

pub(crate) async fn an_empty_log_ends_where_it_begins(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    assert_eq!(queue.chain_ends().await.unwrap(), Ends { base: Head::START, head: Head::START });
    assert_eq!(queue.chain_page(0, 10).await.unwrap(), []);
    assert_eq!(Head::START, Head { seq: 0, hash: Hash([0; 32]) });
}

pub(crate) async fn entries_are_linked_in_their_order(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue, 5).await;
    let links = all(&queue, 100).await;
    assert_eq!(links, all(&reference(5).await, 100).await, "the hash is the same in every store");
    assert_eq!((links[1].prev, &*links[4].bytes, links[4].at_ms), (links[0].hash, &*text(5), 50));
    assert_eq!(verified(&queue).await, links[4].head());
    assert_eq!(all(&queue, 2).await, links);
    assert_eq!(queue.chain_page(3, 1).await.unwrap(), links[3..4]);
}

pub(crate) async fn what_is_appended_at_once_is_one_log(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    let mut appends = tokio::task::JoinSet::new();
    for n in 0..24 {
        let queue = queue.clone();
        appends.spawn(async move { queue.chain_append(n, text(n)).await.unwrap().seq });
    }
    let mut places = appends.join_all().await;
    places.sort_unstable();
    assert_eq!(places, (1..=24).collect::<Vec<_>>());
    assert_eq!(verified(&queue).await.seq, 24);
}

pub(crate) async fn the_log_survives_a_crash(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue, 3).await;
    let head = verified(&queue).await;
    backend.crash();
    let queue = backend.open(roomy());
    assert_eq!(verified(&queue).await, head);
    assert_eq!(queue.chain_append(40, text(4)).await.unwrap().seq, 4);
    assert_eq!(verified(&queue).await.seq, 4);
}

pub(crate) async fn a_sweep_takes_the_oldest_and_what_is_kept_still_verifies(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue, 5).await;
    let links = all(&queue, 100).await;
    assert_eq!(swept(&queue, 1030, RETENTION).await.links, 2, "what is as old as the limit stays");
    assert_eq!(all(&queue, 100).await, links[2..]);
    assert_eq!(queue.chain_ends().await.unwrap(), Ends { base: links[1].head(), head: links[4].head() });
    verified(&queue).await;
    assert_eq!(swept(&queue, 1 << 40, RETENTION).await.links, 2, "the newest stays for the next to link to");
    assert_eq!(all(&queue, 100).await, links[4..]);
    assert_eq!(queue.chain_append(60, text(6)).await.unwrap().seq, 6);
    assert_eq!(verified(&queue).await.seq, 6);
}

pub(crate) async fn an_old_entry_behind_a_young_one_waits_for_it(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for at_ms in [10, 5000, 20, 5000] {
        queue.chain_append(at_ms, text(at_ms)).await.unwrap();
    }
    assert_eq!(swept(&queue, 2000, RETENTION).await.links, 1);
    assert_eq!(verified(&queue).await.seq, 4);
}

pub(crate) async fn a_log_moves_whole_and_goes_on(backend: &mut dyn Backend) {
    let (queue, other) = (backend.open(roomy()), reference(6).await);
    swept(&other, 1030, RETENTION).await;
    let links = all(&other, 100).await;
    assert_eq!(queue.chain_import(links[..2].to_vec()).await.unwrap(), 2);
    assert_eq!(queue.chain_import(links.clone()).await.unwrap(), 2, "what is here already is not new");
    assert_eq!(queue.chain_import(links.clone()).await.unwrap(), 0);
    assert_eq!(all(&queue, 100).await, links);
    assert_eq!(queue.chain_ends().await.unwrap(), other.chain_ends().await.unwrap());
    assert_eq!(queue.chain_append(70, text(7)).await.unwrap().seq, 7);
    assert_eq!(verified(&queue).await.seq, 7);
    assert_eq!(queue.chain_import(links).await.unwrap(), 0, "it is longer by now, and the same all the same");
}

pub(crate) async fn another_log_is_not_mixed_in(backend: &mut dyn Backend) {
    let (queue, other) = (backend.open(roomy()), reference(4).await);
    queue.chain_append(1, text(1)).await.unwrap();
    let head = verified(&queue).await;
    let links = all(&other, 100).await;
    let forked = queue.chain_import(links.clone()).await.unwrap_err();
    assert!(matches!(forked, Error::Forked { seq: 1 }), "{forked}");
    let gap = queue.chain_import(links[2..].to_vec()).await.unwrap_err();
    assert!(matches!(gap, Error::Forked { seq: 3 }), "{gap}");
    let mut changed = links;
    changed[0].bytes.push(b'!');
    assert!(matches!(queue.chain_import(changed).await.unwrap_err(), Error::Corrupt { .. }));
    assert_eq!(verified(&queue).await, head, "nothing of them came in");
}

pub(crate) async fn a_closed_queue_logs_nothing(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    fill(&queue, 1).await;
    queue.close().await.unwrap();
    assert!(matches!(queue.chain_append(1, text(1)).await.unwrap_err(), Error::Closed));
    assert_eq!(verified(&backend.open(roomy())).await.seq, 1);
}
