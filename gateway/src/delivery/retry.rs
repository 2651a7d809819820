//! Chooses the next attempt's time, or gives up. Does not sleep.

/// How often and how patiently a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub attempts_max: u32,
    pub backoff_base_ms: u64,
    pub backoff_max_ms: u64,
    /// An event older than this is not sent any more.
    pub age_max_ms: u64,
}

/// What is to be decided about.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// Attempts made, this one included.
    pub attempts: u32,
    /// What the platform asked for.
    pub retry_after_ms: Option<u64>,
    /// When the event happened.
    pub at_ms: u64,
    pub counts: Counts,
}

/// Whether an attempt counts towards `attempts_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    Yes,
    /// The destination's credentials were refused, which is no fault of the event's.
    No,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    At(u64),
    Dead(String),
}

/// Decides. `chance` is from 0 to 1: full jitter, so that what failed together does not come again together.
pub fn decide(policy: &Policy, failure: Failure, now_ms: u64, chance: f64) -> Next {
    if failure.counts == Counts::Yes && failure.attempts >= policy.attempts_max {
        return Next::Dead(format!("given up after {} attempts", failure.attempts));
    }
    let doublings = failure.attempts.saturating_sub(1).min(32);
    let ceiling_ms = policy.backoff_base_ms.saturating_mul(1 << doublings).min(policy.backoff_max_ms);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a ceiling below 2^53")]
    let jittered_ms = (ceiling_ms as f64 * chance.clamp(0.0, 1.0)) as u64;
    let wait_ms = match failure.retry_after_ms {
        // The platform's word is a lower bound; the jitter on top keeps its own clients apart.
        Some(asked_ms) => asked_ms.saturating_add(jittered_ms.min(asked_ms / 4)).min(policy.backoff_max_ms),
        None => jittered_ms,
    };
    let next_ms = now_ms.saturating_add(wait_ms);
    match too_old(policy, failure.at_ms, next_ms) {
        Some(reason) => Next::Dead(reason),
        None => Next::At(next_ms),
    }
}

/// Why an event would not be sent at a time, if it is too old then.
pub fn too_old(policy: &Policy, at_ms: u64, then_ms: u64) -> Option<String> {
    let age_ms = then_ms.saturating_sub(at_ms);
    (age_ms > policy.age_max_ms).then(|| {
        let hours = |ms: u64| ms / 3_600_000;
        format!("too old: {} h, and the platform takes events of up to {} h", hours(age_ms), hours(policy.age_max_ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { attempts_max: 5, backoff_base_ms: 1_000, backoff_max_ms: 60_000, age_max_ms: 3_600_000 };
    const NOW: u64 = 10_000_000;

    fn failure(attempts: u32, retry_after_ms: Option<u64>) -> Failure {
        Failure { attempts, retry_after_ms, at_ms: NOW - 1_000, counts: Counts::Yes }
    }

    #[test]
    fn waits_grow_by_doubling_up_to_the_limit_with_full_jitter() {
        assert_eq!(decide(&POLICY, failure(1, None), NOW, 1.0), Next::At(NOW + 1_000));
        assert_eq!(decide(&POLICY, failure(4, None), NOW, 1.0), Next::At(NOW + 8_000));
        assert_eq!(decide(&POLICY, failure(4, None), NOW, 0.0), Next::At(NOW));
        let patient = Policy { attempts_max: 100, ..POLICY };
        assert_eq!(decide(&patient, failure(60, None), NOW, 1.0), Next::At(NOW + 60_000));
    }

    #[test]
    fn retry_after_is_honoured_up_to_the_policys_limit() {
        assert_eq!(decide(&POLICY, failure(1, Some(30_000)), NOW, 0.0), Next::At(NOW + 30_000));
        assert_eq!(decide(&POLICY, failure(1, Some(900_000)), NOW, 0.0), Next::At(NOW + 60_000));
    }

    #[test]
    fn the_last_attempt_ends_it_but_for_refused_credentials() {
        assert_eq!(decide(&POLICY, failure(5, None), NOW, 0.5), Next::Dead("given up after 5 attempts".into()));
        let parked = Failure { counts: Counts::No, ..failure(5, None) };
        assert!(matches!(decide(&POLICY, parked, NOW, 0.5), Next::At(_)));
    }

    #[test]
    fn an_event_that_would_be_too_old_by_then_is_dead_now() {
        let old = Failure { at_ms: NOW - 3_590_000, ..failure(1, Some(30_000)) };
        assert!(matches!(decide(&POLICY, old, NOW, 0.0), Next::Dead(reason) if reason.starts_with("too old")));
    }
}
