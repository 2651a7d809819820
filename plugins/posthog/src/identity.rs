//! Whose event it is, and which event it is: `distinct_id` and `uuid`.
//!
//! Sources: "Identifying users", section "What happens if you call identify or alias with invalid inputs?"; "Ingestion
//! warnings"; `extract_distinct_id` of the capture service.

use std::borrow::Cow;

use tidegate_plugin_sdk::{Event, Rejection};

/// "We do not allow identifying users with the following strings (case insensitive)".
const ILLEGAL_IN_ANY_CASE: [&str; 10] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
];
/// "… (case sensitive)".
const ILLEGAL: [&str; 6] = ["[object Object]", "NaN", "None", "none", "null", "0"];
/// A longer id is cut, and two of them might become one.
const ID_CHARS_MAX: usize = 200;

/// The ids of the person.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) distinct_id: &'a str,
    /// The anonymous id of somebody who is known.
    pub(crate) device: Option<&'a str>,
    pub(crate) is_known: bool,
}

/// The ids of an event; nothing where there is none.
///
/// # Errors
/// When one of them is illegal.
pub(crate) fn of(event: &Event) -> Result<Option<Identity<'_>>, Rejection> {
    let user = event.user_id.as_deref().map(str::trim).filter(|id| !id.is_empty()).map(legal).transpose()?;
    let device = event.anonymous_id.as_deref().filter(|id| !id.trim().is_empty()).map(legal).transpose()?;
    Ok(match (user, device) {
        (Some(user), device) => Some(Identity { distinct_id: user, device, is_known: true }),
        (None, Some(device)) => Some(Identity { distinct_id: device, device: None, is_known: false }),
        (None, None) => None,
    })
}

/// The id itself, unless PostHog takes it for a mistake.
pub(crate) fn legal(id: &str) -> Result<&str, Rejection> {
    let bare = id.trim_matches(['"', '\'']);
    if ILLEGAL_IN_ANY_CASE.iter().any(|illegal| bare.eq_ignore_ascii_case(illegal)) || ILLEGAL.contains(&bare) {
        return Err(Rejection::invalid(["`", id, "` is a placeholder: PostHog refuses it as a distinct id"].concat()));
    }
    if id.chars().nth(ID_CHARS_MAX).is_some() {
        return Err(Rejection::invalid("a distinct id of more than 200 characters: PostHog would cut it"));
    }
    Ok(id)
}

/// The event's id where it is a UUID; else one that is made of it, the same whenever it is sent. A UUID that is none
/// would make PostHog refuse the whole request. `index` tells several events of one apart.
pub(crate) fn uuid(id: &str, index: usize) -> Cow<'_, str> {
    if index == 0 && is_uuid(id) {
        return Cow::Borrowed(id);
    }
    let mut bytes = fnv1a(id, index).to_be_bytes();
    // Version 8, "custom": RFC 9562, section 5.8.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    Cow::Owned([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Whether a text is a UUID in its usual form.
pub(crate) fn is_uuid(text: &str) -> bool {
    const FORM: &str = "00000000-0000-0000-0000-000000000000";
    text.len() == FORM.len()
        && text.bytes().zip(FORM.bytes()).all(|(b, f)| if f == b'-' { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// FNV-1a of 128 bits (RFC 9923): an id for an id, not a secret.
fn fnv1a(id: &str, index: usize) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    let suffix = if index == 0 { String::new() } else { format!("/{}", index + 1) };
    let bytes = id.bytes().chain(suffix.bytes());
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_ids_are_refused_as_posthog_refuses_them() {
        for id in ["anonymous", "GUEST", "'undefined'", "\"null\"", "NaN", "[object Object]", "0"] {
            assert!(legal(id).is_err(), "{id}");
        }
        for id in ["nan", "NULL", "00", "anonymous-7", "cust-77"] {
            assert_eq!(legal(id), Ok(id));
        }
        assert!(legal(&"x".repeat(200)).is_ok() && legal(&"x".repeat(201)).is_err());
    }

    #[test]
    fn an_event_has_one_uuid_however_often_it_is_sent() {
        let own = "0194a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
        assert_eq!(uuid(own, 0), own);
        let made = uuid("foobar", 0);
        // The vector of the FNV reference code, with version and variant set.
        assert_eq!(made, "343e1662-793c-84bf-af0d-3597ba446f18");
        assert!(is_uuid(&made) && is_uuid(&uuid(own, 1)));
        assert_ne!(uuid(own, 1), uuid(own, 2));
        assert_ne!(uuid("evt_1", 0), uuid("evt_2", 0));
    }
}
