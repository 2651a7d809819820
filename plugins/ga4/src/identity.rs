//! Which browser and which session an event belongs to, as Google's tag in the browser counts them.

use std::borrow::Cow;

use tidegate_plugin_sdk::{Event, personal};

use crate::config::{ClientId, Config};

/// The `client_id`: the last two parts of the cookie `_ga`, or the gateway's own id of the same browser.
pub(crate) fn client_id(event: &Event, rule: ClientId) -> Option<&str> {
    let cookie = || event.cookie("_ga").and_then(of_cookie);
    // A site that uses an e-mail address as its anonymous id must not have it sent to Google.
    let own = || event.anonymous_id.as_deref().filter(|id| !id.is_empty() && !personal::is_email(id));
    match rule {
        ClientId::CookieOrAnonymousId => cookie().or_else(own),
        ClientId::Cookie => cookie(),
        ClientId::AnonymousId => own(),
    }
}

/// `GA1.<n>.<random>.<seconds>`: the id is `<random>.<seconds>`.
fn of_cookie(raw: &str) -> Option<&str> {
    let (rest, seconds) = raw.rsplit_once('.')?;
    let (head, random) = rest.rsplit_once('.')?;
    let (version, _) = head.split_once('.')?;
    (version.starts_with("GA") && is_number(random) && is_number(seconds)).then(|| &raw[head.len() + 1..])
}

/// The `session_id`, which must be a number: the tag's own from the cookie `_ga_<stream>`, else the event's session's.
pub(crate) fn session_id<'a>(event: &'a Event, config: &Config<'_>) -> Option<Cow<'a, str>> {
    let stream = config.measurement_id.as_ref().and_then(|id| id.strip_prefix("G-"));
    let of_tag = stream.and_then(|stream| {
        let named = |name: &str| name.strip_prefix("_ga_") == Some(stream);
        event.cookies.iter().find(|(name, _)| named(name)).and_then(|(_, value)| session_of_cookie(value))
    });
    of_tag.map(Cow::Borrowed).or_else(|| event.session.as_ref().and_then(|session| number_of(&session.id)))
}

/// Both formats: `GS1.1.<session id>.<number>.…` and `GS2.1.s<session id>$o<number>$g1$t…`, whose fields have no order.
fn session_of_cookie(raw: &str) -> Option<&str> {
    let (version, rest) = raw.split_once('.')?;
    let (_, fields) = rest.split_once('.')?;
    let id = match version {
        "GS1" => fields.split('.').next()?,
        "GS2" => fields.split('$').find_map(|field| field.strip_prefix('s'))?,
        _ => return None,
    };
    is_number(id).then_some(id)
}

/// An id of another form as a number that is always the same for it. It joins no session that Google's tag counted, but
/// there is none, or its cookie would have been there.
fn number_of(id: &str) -> Option<Cow<'_, str>> {
    if is_number(id) {
        return Some(Cow::Borrowed(id));
    }
    // FNV-1a; ten digits, like the seconds that Google's tag uses.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (!id.is_empty()).then(|| Cow::Owned((1_000_000_000 + hash % 9_000_000_000).to_string()))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_id_is_the_last_two_parts_of_the_cookie() {
        assert_eq!(of_cookie("GA1.1.1098115397.1768000000"), Some("1098115397.1768000000"));
        assert_eq!(of_cookie("GA1.2-2.1098115397.1768000000"), Some("1098115397.1768000000"));
        for wrong in ["", "GA1.1.1098115397", "GA1.1.amp-xyz.1768000000", "XX1.1.1.2", "1098115397.1768000000"] {
            assert_eq!(of_cookie(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_session_is_read_from_both_formats() {
        assert_eq!(session_of_cookie("GS1.1.1746825440.14.0.1746825440.60.0.295082955"), Some("1746825440"));
        assert_eq!(session_of_cookie("GS2.1.s1747132561$o1$g0$t1747132655$j0$l0$h0"), Some("1747132561"));
        assert_eq!(session_of_cookie("GS2.1.o1$g0$s1747132561"), Some("1747132561"));
        for wrong in ["", "GS2.1.", "GS2.1.o1$g0", "GS3.1.s1", "GS1.1.x.1", "GS1"] {
            assert_eq!(session_of_cookie(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_session_id_is_always_the_same_number() {
        assert_eq!(number_of("1768487000").as_deref(), Some("1768487000"));
        let made = number_of("0198c3f2-7e1c-7000-8000-000000000001");
        assert_eq!(made, number_of("0198c3f2-7e1c-7000-8000-000000000001"));
        assert_eq!(made.map(|id| id.len()), Some(10));
        assert_eq!(number_of(""), None);
    }
}
