//! Decides when a host's certificate is ordered. Does not sleep, and orders nothing.
//!
//! The bounds are Let's Encrypt's (<https://letsencrypt.org/docs/rate-limits/>): 5 failed validations a host an hour,
//! 5 certificates of the same names a week, 50 certificates a registered domain a week.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::record::Record;
use crate::pair::Pair;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const WEEK_MS: u64 = 7 * DAY_MS;

/// One less than the authority's limit: another program may have ordered, too.
const ISSUED_A_WEEK_MAX: usize = 4;
/// Orders run side by side, and on several gateways: some slack below the authority's 50.
pub(super) const DOMAIN_A_WEEK_MAX: usize = 45;
/// Whatever an authority or a damaged record says, after this it is tried again.
const WAIT_MAX_MS: u64 = WEEK_MS + DAY_MS;

/// What kind of failure it was: each is waited for differently. Its names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The host does not lead here yet; the authority was not asked.
    Unready,
    /// The authority could not be reached, or had trouble of its own. No validation failed.
    Unreachable,
    /// A validation or the order failed: only so many may.
    Refused,
}

/// One failure and all that its wait depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) host: &'a str,
    pub(super) kind: Kind,
    pub(super) retry_after_ms: Option<u64>,
    /// The end of the certificate that is used meanwhile.
    pub(super) not_after_ms: Option<u64>,
    /// In a row before this one, all of its kind: see [`Record::failures_of`].
    pub(super) failures: u32,
}

/// When to try again after a failure: exponentially later, never before the authority asks for it.
pub(super) fn after_failure(failed: &Failed<'_>, now_ms: u64) -> u64 {
    let (first_ms, longest_ms) = match failed.kind {
        Kind::Unready => (MINUTE_MS, 15 * MINUTE_MS),
        Kind::Unreachable => (MINUTE_MS, HOUR_MS),
        // Four attempts an hour at the most.
        Kind::Refused => (15 * MINUTE_MS, DAY_MS),
    };
    let doubled_ms = first_ms.saturating_mul(1 << failed.failures.min(20));
    // A certificate that ends soon cannot wait for a day.
    let patience_ms =
        failed.not_after_ms.map_or(longest_ms, |end_ms| (end_ms.saturating_sub(now_ms) / 8).max(first_ms));
    let wait_ms = doubled_ms.min(longest_ms).min(patience_ms);
    let wait_ms = wait_ms + share(failed.host, u64::from(failed.failures), wait_ms / 5);
    now_ms.saturating_add(wait_ms.max(failed.retry_after_ms.unwrap_or(0)).min(WAIT_MAX_MS))
}

/// When the next order may be at the earliest after one that succeeded, however short the certificate's life is.
pub(super) fn after_issue(record: &Record, pair: &Pair, now_ms: u64) -> u64 {
    let left_ms = pair.not_after_ms.saturating_sub(now_ms);
    let mut again_ms = now_ms.saturating_add((left_ms / 2).clamp(HOUR_MS, DAY_MS));
    // With the one that was just issued.
    let issued: Vec<u64> = record.issued_since(now_ms.saturating_sub(WEEK_MS)).chain([now_ms]).collect();
    if issued.len() >= ISSUED_A_WEEK_MAX {
        again_ms = again_ms.max(issued[issued.len() - ISSUED_A_WEEK_MAX].saturating_add(WEEK_MS));
    }
    again_ms
}

/// When a certificate is renewed: with a third of its life left, up to a twentieth of its life earlier, the same for
/// every gateway that has it.
pub(super) fn renewal(host: &str, pair: &Pair) -> u64 {
    let life_ms = pair.life_ms();
    let third_left_ms = pair.not_after_ms.saturating_sub(life_ms / 3);
    third_left_ms.saturating_sub(share(host, pair.not_after_ms, life_ms / 20))
}

/// When a host's next order is due.
pub(super) fn due(host: &str, pair: Option<&Pair>, record: &Record, now_ms: u64) -> u64 {
    let wanted_ms = pair.map_or(0, |pair| renewal(host, pair));
    // A clock that was set back would have us wait for ever.
    wanted_ms.max(record.not_before_ms.min(now_ms.saturating_add(WAIT_MAX_MS)))
}

/// When a registered domain has room for one more new certificate; `None` if it has now. Takes when its certificates
/// were issued.
pub(super) fn domain_full_until(mut issued_ms: Vec<u64>, now_ms: u64) -> Option<u64> {
    issued_ms.retain(|at_ms| at_ms.saturating_add(WEEK_MS) > now_ms);
    issued_ms.sort_unstable();
    let first_to_leave = issued_ms.len().checked_sub(DOMAIN_A_WEEK_MAX)?;
    Some(issued_ms[first_to_leave].saturating_add(WEEK_MS).min(now_ms.saturating_add(WAIT_MAX_MS)))
}

/// Between 0 and `most`: the same for the same host and number, so that hosts do not all come at once and gateways agree.
fn share(host: &str, number: u64, most: u64) -> u64 {
    let digest = Sha256::new().chain_update(host).chain_update(number.to_be_bytes()).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) % most.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Trouble;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn failed(kind: Kind, failures: u32) -> Failed<'static> {
        Failed { host: "t.shop.example", kind, retry_after_ms: None, not_after_ms: None, failures }
    }

    fn waits(kind: Kind) -> Vec<u64> {
        (0..12).map(|failures| (after_failure(&failed(kind, failures), NOW_MS) - NOW_MS) / MINUTE_MS).collect()
    }

    #[test]
    fn failures_are_waited_for_ever_longer_up_to_a_day() {
        let waits = waits(Kind::Refused);
        assert!(waits.windows(2).take(6).all(|pair| pair[0] < pair[1]), "{waits:?}");
        assert!(waits[0] >= 15 && waits[11] >= 24 * 60 && waits[11] <= 29 * 60, "{waits:?}");
    }

    #[test]
    fn no_hour_has_five_failed_validations() {
        let hasty = Failed { not_after_ms: Some(NOW_MS), ..failed(Kind::Refused, 9) };
        assert!(4 * (after_failure(&hasty, NOW_MS) - NOW_MS) >= HOUR_MS);
    }

    #[test]
    fn what_costs_no_validation_is_tried_sooner() {
        assert!(waits(Kind::Unready).iter().all(|minutes| (1..=18).contains(minutes)));
        assert!(waits(Kind::Unreachable).iter().all(|minutes| (1..=72).contains(minutes)));
    }

    #[test]
    fn waiting_for_dns_costs_the_first_validation_nothing() {
        let mut record = Record::default();
        let mut fail = |kind| {
            let again_ms = after_failure(&failed(kind, record.failures_of(kind)), NOW_MS);
            record.failed(kind, Trouble { at_ms: NOW_MS, message: "no".into() }, again_ms);
            (again_ms - NOW_MS) / MINUTE_MS
        };
        let unready: Vec<u64> = (0..8).map(|_| fail(Kind::Unready)).collect();
        assert!((15..=18).contains(&unready[7]), "{unready:?}");
        assert!((15..=18).contains(&fail(Kind::Refused)));
        assert!((30..=36).contains(&fail(Kind::Refused)), "those of one kind add up");
        assert_eq!(fail(Kind::Unreachable), 1);
        assert!((15..=18).contains(&fail(Kind::Refused)), "and still no hour has five failed validations");
    }

    #[test]
    fn the_authority_may_ask_for_more_time_but_not_for_ever() {
        let asked = |retry_after_ms| Failed { retry_after_ms: Some(retry_after_ms), ..failed(Kind::Refused, 0) };
        assert_eq!(after_failure(&asked(2 * DAY_MS), NOW_MS), NOW_MS + 2 * DAY_MS);
        assert_eq!(after_failure(&asked(u64::MAX), NOW_MS), NOW_MS + WAIT_MAX_MS);
        assert!(after_failure(&asked(1), NOW_MS) >= NOW_MS + 15 * MINUTE_MS);
    }

    #[test]
    fn a_certificate_that_ends_soon_is_not_waited_for_a_day() {
        let soon = Failed { not_after_ms: Some(NOW_MS + 8 * HOUR_MS), ..failed(Kind::Refused, 12) };
        assert!(after_failure(&soon, NOW_MS) <= NOW_MS + 72 * MINUTE_MS);
    }

    #[test]
    fn a_record_from_the_future_does_not_stop_a_host_for_ever() {
        let record = Record { not_before_ms: u64::MAX, ..Record::default() };
        assert_eq!(due("t.shop.example", None, &record, NOW_MS), NOW_MS + WAIT_MAX_MS);
        assert_eq!(due("t.shop.example", None, &Record::default(), NOW_MS), 0);
    }

    #[test]
    fn a_domain_is_full_until_its_oldest_certificate_is_a_week_old() {
        let issued: Vec<u64> = (0..DOMAIN_A_WEEK_MAX as u64).map(|n| NOW_MS - n).collect();
        assert_eq!(domain_full_until(issued[1..].to_vec(), NOW_MS), None);
        let oldest_ms = NOW_MS - DOMAIN_A_WEEK_MAX as u64 + 1;
        assert_eq!(domain_full_until(issued.clone(), NOW_MS), Some(oldest_ms + WEEK_MS));
        assert_eq!(domain_full_until(issued, oldest_ms + WEEK_MS), None);
    }
}
