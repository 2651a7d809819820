//! HMAC-SHA256 over a text, and its truncated form in what browsers carry.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Sixteen of the HMAC's bytes: as hard to guess as a UUID.
const BYTES: usize = 16;

/// The whole HMAC.
pub(crate) fn whole(key: &[u8], text: &[u8]) -> [u8; 32] {
    keyed(key, text).finalize().into_bytes().into()
}

/// The truncated HMAC, as base64url.
pub(crate) fn sign(key: &[u8], text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&whole(key, text.as_bytes())[..BYTES])
}

/// Compares in constant time.
pub(crate) fn is_signed(key: &[u8], text: &str, given: &str) -> bool {
    let given = BASE64_URL_SAFE_NO_PAD.decode(given).ok().filter(|given| given.len() == BYTES);
    given.is_some_and(|given| keyed(key, text.as_bytes()).verify_truncated_left(&given).is_ok())
}

fn keyed(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is right");
    mac.update(text);
    mac
}
