//! Reads a request's body within its bounds: size, time, and size after decompression. Throws the rest away.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use crate::config::Limits;

/// What is discarded of a body at most, as a multiple of the bound on bodies.
const DISCARD_FACTOR: usize = 8;
/// How long discarding takes at most.
const DISCARD_MS: u64 = 2_000;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    #[error("the body has more than {0} bytes when decompressed")]
    TooLargeInflated(usize),
    #[error("the body did not arrive within {0} ms")]
    TooSlow(u64),
    #[error("the body broke off")]
    Broken,
    #[error("the body begins like gzip and is none")]
    Gzip,
}

/// The body, decompressed if it is gzip: its first bytes decide, for clients label it as they like.
pub(super) async fn read(body: &mut Incoming, limits: &Limits) -> Result<Bytes, Error> {
    let timeout = Duration::from_millis(limits.body_timeout_ms);
    let limited = Limited::new(body, limits.body_bytes_max);
    let collected = tokio::time::timeout(timeout, limited.collect()).await;
    let raw = match collected {
        Err(_) => return Err(Error::TooSlow(limits.body_timeout_ms)),
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Error::TooLarge(limits.body_bytes_max));
        }
        Ok(Err(_)) => return Err(Error::Broken),
    };
    if raw.starts_with(&[0x1f, 0x8b]) { inflate(&raw, limits.body_inflated_bytes_max) } else { Ok(raw) }
}

/// What is left of a body after an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// The connection cannot go on after it.
    Something,
}

/// Reads on and throws away what the answer did not need: a client that is still sending when the connection closes
/// may never read the answer, and one whose connection goes on needs the body out of the way.
pub(super) async fn discard(body: &mut Incoming, limits: &Limits) -> Rest {
    let bytes_max = limits.body_bytes_max.saturating_mul(DISCARD_FACTOR);
    let whole = async {
        let mut length = 0usize;
        while length <= bytes_max {
            match body.frame().await {
                None => return Rest::Nothing,
                Some(Err(_)) => break,
                Some(Ok(frame)) => length = length.saturating_add(frame.data_ref().map_or(0, Bytes::len)),
            }
        }
        Rest::Something
    };
    tokio::time::timeout(Duration::from_millis(DISCARD_MS), whole).await.unwrap_or(Rest::Something)
}

fn inflate(raw: &[u8], bytes_max: usize) -> Result<Bytes, Error> {
    let mut inflated = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(raw).take(bound).read_to_end(&mut inflated).map_err(|_| Error::Gzip)?;
    if inflated.len() > bytes_max { Err(Error::TooLargeInflated(bytes_max)) } else { Ok(inflated.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(inflate(&bomb, 1 << 20), Err(Error::TooLargeInflated(_))));
    }

    #[test]
    fn damaged_gzip_is_said_to_be() {
        let mut bytes = gzip(b"{}");
        assert_eq!(inflate(&bytes, 10).unwrap(), b"{}"[..]);
        bytes.truncate(8);
        assert!(matches!(inflate(&bytes, 10), Err(Error::Gzip)));
    }
}
