//! Whose event it is: `user_id` and `device_id`, of which Amplitude needs one, and the session.
//!
//! Source: "HTTP V2 API", the keys `user_id`, `device_id` and `session_id`, "Device IDs and User IDs minimum length" and
//! "All-zero device IDs"; "Track unique users".

use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::Config;

/// The ids of an event; at least one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) user_id: Option<&'a str>,
    pub(crate) device_id: Option<&'a str>,
}

/// What stands for "nobody" and would make one person of all that have it. The documents name the first three.
const PLACEHOLDERS: [&str; 8] = ["anonymous", "guest", "none", "null", "nil", "undefined", "unknown", "n/a"];

/// The ids that Amplitude takes.
///
/// # Errors
/// When there is none: Amplitude would refuse the event.
pub(crate) fn of<'a>(event: &'a Event, config: &Config<'_>) -> Result<Identity<'a>, Rejection> {
    // "The ID value is dropped from the event" that is too short; it is not even sent.
    let usable = |id: &&str| id.chars().count() >= config.min_id_length && !is_placeholder(id);
    let identity = Identity {
        user_id: event.user_id.as_deref().map(str::trim).filter(usable),
        device_id: event.anonymous_id.as_deref().map(str::trim).filter(usable),
    };
    if identity.user_id.is_none() && identity.device_id.is_none() {
        let least = config.min_id_length.to_string();
        return Err(Rejection::invalid(
            ["event without a user id or a visitor id of at least ", &least, " characters"].concat(),
        ));
    }
    Ok(identity)
}

fn is_placeholder(id: &str) -> bool {
    PLACEHOLDERS.iter().any(|known| id.eq_ignore_ascii_case(known)) || id.bytes().all(|b| b == b'0' || b == b'-')
}

/// "The start time of the session in milliseconds since epoch". An id that is no time is none.
pub(crate) fn session_id(event: &Event) -> Option<u64> {
    let id = event.session.as_ref()?.id.trim();
    let number: u64 = id.parse().ok()?;
    match id.len() {
        // Seconds, as Google's tag and the gateway's own visits have them.
        10 => number.checked_mul(1_000),
        13 => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::Session;

    use super::*;

    fn identity(user_id: &str, anonymous_id: &str) -> Result<(bool, bool), Rejection> {
        let event =
            Event { user_id: Some(user_id.into()), anonymous_id: Some(anonymous_id.into()), ..Event::example() };
        of(&event, &Config::default()).map(|ids| (ids.user_id.is_some(), ids.device_id.is_some()))
    }

    #[test]
    fn what_is_no_id_is_left_out() {
        assert_eq!(identity("u-100", "b2f1c0de"), Ok((true, true)));
        for nobody in ["", "u-10", "Anonymous", "undefined", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(identity(nobody, "b2f1c0de"), Ok((false, true)), "{nobody}");
            assert!(identity("1234", nobody).is_err(), "{nobody}");
        }
        // Characters count, not bytes.
        assert!(identity("größ", "").is_err());
    }

    #[test]
    fn a_session_is_the_time_of_its_start() {
        let session = |id: &str| {
            let session = Some(Session { id: id.into(), number: None, engagement_ms: None });
            session_id(&Event { session, ..Event::example() })
        };
        assert_eq!(session("1768487000"), Some(1_768_487_000_000));
        assert_eq!(session("1768487000123"), Some(1_768_487_000_123));
        for other in ["", "abc", "17", "-176848700", "s1768487000"] {
            assert_eq!(session(other), None, "{other}");
        }
    }
}
