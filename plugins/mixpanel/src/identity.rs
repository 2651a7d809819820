//! Whose event it is, and which event it is: `distinct_id`, `$device_id`, `$user_id` and `$insert_id`.
//!
//! Sources: "Import Events", sections "properties.distinct_id" and "properties.$insert_id", and "Identifying Users
//! (Simplified)", section "Server-side Identity Management".

use std::borrow::Cow;

use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::IdMerge;

/// "To prevent accidental implementation mistakes, we disallow the following values for distinct_id", and for
/// $insert_id.
const PLACEHOLDERS: [&str; 17] = [
    "00000000-0000-0000-0000-000000000000",
    "anon",
    "anonymous",
    "nil",
    "none",
    "null",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "<nil>",
    "0",
    "-1",
    "true",
    "false",
    "[]",
    "{}",
];

/// "$insert_ids must be ≤ 36 bytes and contain only alphanumeric characters or "-"."
const INSERT_ID_BYTES_MAX: usize = 36;

/// The ids of the person.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
}

/// Reads the ids of an event.
///
/// # Errors
/// When one of them is a placeholder.
pub(crate) fn of(event: &Event) -> Result<Identity<'_>, Rejection> {
    Ok(Identity { user: real(event.user_id.as_deref())?, device: real(event.anonymous_id.as_deref())? })
}

impl<'a> Identity<'a> {
    /// The id that Mixpanel would derive itself, because `/import` requires one. "If the event is not associated with
    /// any user, set distinct_id to the empty string."
    pub(crate) fn distinct_id(&self, id_merge: IdMerge) -> Cow<'a, str> {
        match (self.user, self.device, id_merge) {
            (Some(user), _, _) => Cow::Borrowed(user),
            (None, Some(device), IdMerge::Simplified) => Cow::Owned(["$device:", device].concat()),
            (None, Some(device), IdMerge::Original) => Cow::Borrowed(device),
            (None, None, _) => Cow::Borrowed(""),
        }
    }
}

fn real(id: Option<&str>) -> Result<Option<&str>, Rejection> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) if is_placeholder(id) => {
            Err(Rejection::invalid(["`", id, "` is a placeholder: Mixpanel refuses it as an id"].concat()))
        }
        other => Ok(other),
    }
}

fn is_placeholder(id: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| id.eq_ignore_ascii_case(placeholder))
}

/// The event's id where Mixpanel takes it as it is, else a digest of it.
pub(crate) fn insert_id(id: &str) -> Cow<'_, str> {
    let fits = id.len() <= INSERT_ID_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits && !id.is_empty() && !is_placeholder(id) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("{:032x}", fnv1a(id.as_bytes())))
}

/// FNV-1a of 128 bits (RFC 9923): an id for an id, not a secret.
fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_refused_however_it_is_written() {
        for id in PLACEHOLDERS {
            assert!(real(Some(id)).is_err() && real(Some(&id.to_uppercase())).is_err(), "{id}");
        }
        assert_eq!(real(Some("")), Ok(None));
        assert_eq!(real(Some("anonymous-7")), Ok(Some("anonymous-7")));
    }

    #[test]
    fn an_insert_id_has_the_form_that_mixpanel_takes() {
        assert_eq!(insert_id("order-A-1001"), "order-A-1001");
        assert_eq!(insert_id("0194a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b").len(), 36);
        // The vector of the FNV reference code for `foobar`, here behind a character that Mixpanel refuses.
        assert_eq!(fnv1a(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
        for odd in ["evt_1", "", "null", "x".repeat(37).as_str()] {
            let id = insert_id(odd);
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{odd}: {id}");
        }
    }
}
