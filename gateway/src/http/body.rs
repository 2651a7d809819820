//! Reads a request's body within its bounds: size, time, and size after decompression.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::config::Limits;

/// How many times the bound a body may be before its connection is closed under its sender.
const DISCARD_FACTOR: usize = 8;

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
pub(super) async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, Error> {
    let timeout = Duration::from_millis(limits.body_timeout_ms);
    let collected = tokio::time::timeout(timeout, collect(body, limits.body_bytes_max)).await;
    let raw = collected.unwrap_or(Err(Error::TooSlow(limits.body_timeout_ms)))?;
    if raw.starts_with(&[0x1f, 0x8b]) { inflate(&raw, limits.body_inflated_bytes_max) } else { Ok(raw) }
}

/// What is too large is read on for a while and thrown away: a client that is still sending when the connection closes
/// does not get to read the answer.
async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Error> {
    let mut collected = Vec::new();
    let mut length = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::Broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            collected.extend_from_slice(&data);
        } else if length > bytes_max.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    if length > bytes_max { Err(Error::TooLarge(bytes_max)) } else { Ok(collected.into()) }
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
