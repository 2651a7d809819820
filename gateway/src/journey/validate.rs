//! Validate: what no destination could use is refused, and the client is told why.

use super::decode::FieldError;
use super::identify::Identified;
use super::visit::Visit;

/// An event that is complete: it has a name, a time and somebody it is about.
#[derive(Debug)]
pub struct Validated {
    pub(super) identified: Identified,
    pub(super) at_ms: u64,
}

const NAME_CHARS_MAX: usize = 200;
/// A client's clock that is off by less is believed: what differs is the network.
const SKEW_MS: u64 = 30_000;
const DAY_MS: u64 = 86_400_000;
/// 2000-01-01: an earlier time is a clock that was never set.
const EARLIEST_MS: u64 = 946_684_800_000;

/// Validates one event.
///
/// # Errors
/// Names the field, what was expected and what was found.
pub fn validate(identified: Identified, visit: &Visit) -> Result<Validated, FieldError> {
    let draft = &identified.draft;
    let name_chars = draft.name.chars().count();
    if name_chars > NAME_CHARS_MAX || draft.name.chars().any(char::is_control) {
        return Err(error("event", "a name of at most 200 printable characters", format!("{name_chars} characters")));
    }
    if identified.anonymous_id.is_none() && draft.user_id.is_none() && draft.identifiers.is_empty() {
        let expected = "somebody: `customer_id` (`userId`), `anonymous_id` (`anonymousId`), or an identifier in `user`";
        return Err(error("customer_id", expected, "nobody".into()));
    }
    for (field, id) in [("anonymous_id", &identified.anonymous_id), ("customer_id", &draft.user_id)] {
        if id.as_ref().is_some_and(|id| id.len() > 256 || id.chars().any(char::is_control)) {
            return Err(error(field, "an id of at most 256 printable bytes", "a longer or unprintable one".into()));
        }
    }
    let at_ms = at(draft.at_ms, draft.sent_ms, visit.received_ms)?;
    Ok(Validated { identified, at_ms })
}

/// When it happened by our clock: a client whose clock is off says so by the time of sending.
fn at(at_ms: Option<u64>, sent_ms: Option<u64>, received_ms: u64) -> Result<u64, FieldError> {
    let Some(client_ms) = at_ms else { return Ok(received_ms) };
    let at_ms = match sent_ms {
        Some(sent_ms) if sent_ms.abs_diff(received_ms) > SKEW_MS => {
            received_ms.saturating_sub(sent_ms.saturating_sub(client_ms))
        }
        _ => client_ms,
    };
    if !(EARLIEST_MS..=received_ms.saturating_add(DAY_MS)).contains(&at_ms) {
        let found = format!("{client_ms} ms since 1970");
        return Err(error("timestamp", "a time from 2000 to now, in Unix milliseconds or ISO 8601", found));
    }
    Ok(at_ms.min(received_ms))
}

fn error(field: &str, expected: &'static str, found: String) -> FieldError {
    FieldError { field: field.into(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn a_client_whose_clock_is_off_is_corrected_by_its_time_of_sending() {
        assert_eq!(at(Some(NOW - 3_605_000), Some(NOW - 3_600_000), NOW).unwrap(), NOW - 5_000);
        assert_eq!(at(Some(NOW + 3_595_000), Some(NOW + 3_600_000), NOW).unwrap(), NOW - 5_000);
    }

    #[test]
    fn a_right_clock_is_believed_and_the_future_becomes_now() {
        assert_eq!(at(Some(NOW - 5_000), Some(NOW - 40), NOW).unwrap(), NOW - 5_000);
        assert_eq!(at(Some(NOW + 5_000), None, NOW).unwrap(), NOW);
        assert_eq!(at(None, None, NOW).unwrap(), NOW);
    }

    #[test]
    fn impossible_times_are_refused() {
        assert!(at(Some(NOW + 2 * DAY_MS), None, NOW).is_err());
        assert!(at(Some(1), None, NOW).is_err());
    }
}
