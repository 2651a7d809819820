//! Throttling: a token bucket for each site and kind of key, so that a flood on one site leaves the others alone, and one from
//! browsers its backends. Whose requests of one bucket are refused it does not choose: a flood with a site's public key has
//! that site's other browsers refused, too.

use std::sync::{Arc, Mutex};

/// Buckets of one rate, one for each site and kind of key. Bounded: there are as many as configured keys' sites.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: u32,
    buckets: Vec<Arc<Mutex<Bucket>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Thousandths of a request.
    tokens: u64,
    filled_ms: u64,
}

impl Throttle {
    /// `per_second` of 0 refuses nothing.
    pub(super) fn new(per_second: u32, buckets: usize) -> Throttle {
        Throttle { per_second, buckets: (0..buckets).map(|_| Arc::default()).collect() }
    }

    /// One of another rate, perhaps, that goes on with some of the buckets, and has new ones where there is `None`.
    pub(super) fn renewed(&self, per_second: u32, buckets: impl Iterator<Item = Option<usize>>) -> Throttle {
        let bucket = |old: Option<usize>| old.and_then(|old| self.buckets.get(old)).cloned().unwrap_or_default();
        Throttle { per_second, buckets: buckets.map(bucket).collect() }
    }

    /// Takes a token; else says after how many milliseconds there is one.
    pub(super) fn take(&self, bucket: usize, now_ms: u64) -> Result<(), u64> {
        let rate = u64::from(self.per_second);
        let Some(bucket) = self.buckets.get(bucket).filter(|_| rate > 0) else { return Ok(()) };
        let mut bucket = bucket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let elapsed_ms = now_ms.saturating_sub(bucket.filled_ms);
        let full = rate * 1000;
        bucket.tokens = bucket.tokens.saturating_add(elapsed_ms.saturating_mul(rate)).min(full);
        bucket.filled_ms = now_ms.max(bucket.filled_ms);
        match bucket.tokens.checked_sub(1000) {
            Some(rest) => {
                bucket.tokens = rest;
                Ok(())
            }
            None => Err((1000 - bucket.tokens).div_ceil(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_as_many_as_allowed_and_the_next_says_when() {
        let throttle = Throttle::new(2, 1);
        assert_eq!([throttle.take(0, 10_000), throttle.take(0, 10_000)], [Ok(()), Ok(())]);
        assert_eq!(throttle.take(0, 10_000), Err(500));
        assert_eq!(throttle.take(0, 10_500), Ok(()));
        assert_eq!(Throttle::new(0, 1).take(0, 0), Ok(()));
    }

    #[test]
    fn a_reload_gives_nobody_a_full_bucket_again() {
        let old = Throttle::new(1, 2);
        assert_eq!(old.take(1, 10_000), Ok(()));
        let new = old.renewed(1, [Some(1), None].into_iter());
        assert_eq!((new.take(0, 10_000), new.take(1, 10_000)), (Err(1_000), Ok(())));
    }
}
