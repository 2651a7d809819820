//! Renewing: work that takes longer keeps its lease.

use super::*;

fn renewal(leases: &[Lease], now_ms: u64, until_ms: u64) -> Renewal {
    Renewal { leases: leases.iter().map(|lease| (lease.key, lease.token)).collect(), now_ms, until_ms }
}

pub(crate) async fn a_renewed_lease_goes_on_past_its_first_end(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    queue.append(due("b", 2, 10)).await.unwrap();
    let leased = lease(&queue, 10).await;
    assert_eq!(queue.renew(renewal(&leased[..1], 60, 300)).await.unwrap(), [Held::Ours]);
    assert_eq!(keys(&lease(&queue, 150).await), [leased[1].key], "only what was not renewed is free");
    let settled = queue.settle(vec![attempt(&leased[0], 290, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::Recorded]);
    assert_eq!(queue.counts().await.unwrap()[0].waiting, 1);
}

pub(crate) async fn a_renewed_lease_ends_at_its_new_end(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    queue.append(due("a", 1, 10)).await.unwrap();
    let first = lease(&queue, 10).await;
    queue.renew(renewal(&first, 50, 200)).await.unwrap();
    assert_eq!(queue.renew(renewal(&first, 150, 300)).await.unwrap(), [Held::Ours], "and may be renewed again");
    assert!(lease(&queue, 299).await.is_empty());
    let second = lease(&queue, 300).await;
    assert_eq!((keys(&second), second[0].attempts), (vec![key(1)], 0));
    assert_eq!(queue.renew(renewal(&first, 301, 500)).await.unwrap(), [Held::Lost]);
    assert!(lease(&queue, 399).await.is_empty());
    assert_eq!(lease(&queue, 400).await.len(), 1, "a lost renewal changes nothing for who has it");
}

pub(crate) async fn what_is_no_longer_held_is_told_at_its_position(backend: &mut dyn Backend) {
    let queue = backend.open(roomy());
    for n in 1..=5 {
        queue.append(due(&n.to_string(), n, n)).await.unwrap();
    }
    let mut leased = lease(&queue, 10).await;
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Delivered)]).await.unwrap();
    queue.settle(vec![attempt(&leased[2], 20, Outcome::Retry(500))]).await.unwrap();
    queue.release(vec![(leased[3].key, leased[3].token)]).await.unwrap();
    leased[4].token = LeaseToken(leased[4].token.0.wrapping_add(1_000_000));
    let held = queue.renew(renewal(&leased, 30, 300)).await.unwrap();
    assert_eq!(held, [Held::Lost, Held::Ours, Held::Lost, Held::Lost, Held::Lost]);
    assert_eq!(queue.renew(renewal(&[], 30, 300)).await.unwrap(), []);
    assert_eq!(keys(&lease(&queue, 31).await), [key(4)], "what was given back is free");
}
