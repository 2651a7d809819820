//! Who the event is about: `userData`, and whether it suffices.
//!
//! Source: the guide, "User Data". An event without any of `anonymousId`, `externalId`, `em`, `ph`, `msclkid`, `idfa` and
//! `gaid` is refused by Microsoft; address and agent are asked for besides.

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

/// `userData`. Only `em` and `ph` must be hashed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    em: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ph: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msclkid: Option<&'a str>,
}

/// Collects what identifies the visitor.
///
/// # Errors
/// When Microsoft would refuse it as nobody.
pub(crate) fn collect(event: &Event) -> Result<UserData<'_>, Rejection> {
    let identifier = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let data = UserData {
        client_user_agent: event.user_agent(),
        anonymous_id: event.anonymous_id.as_deref().filter(|id| !id.is_empty()),
        external_id: identifier("external_id"),
        em: identifier("email"),
        ph: identifier("phone"),
        client_ip_address: event.ip(),
        msclkid: event.click("msclkid").map(|click| click.value.as_str()).filter(|value| is_click_id(value)),
    };
    let is_somebody = [data.anonymous_id, data.external_id, data.em, data.ph, data.msclkid].iter().any(Option::is_some);
    if !is_somebody {
        return Err(Rejection::invalid(
            "no identifier: Microsoft needs a click, e-mail, phone, customer id or visitor id; address and agent do not suffice",
        ));
    }
    Ok(data)
}

/// "UUID like dd4afcccb1c9a4cad9544dd7e5006": its own example has 29 digits, so that their number proves nothing. What has
/// other characters did not come from Microsoft, and Microsoft would not use it.
fn is_click_id(value: &str) -> bool {
    (1..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_id_is_hexadecimal() {
        assert!(is_click_id("dd4afcccb1c9a4cad9544dd7e5006"));
        assert!(is_click_id("B1240587f865192a03586c5b000314f5"));
        assert!(is_click_id("b1240587-f865-192a-0358-6c5b000314f5"));
        for wrong in ["", "test", "_uetb1240587f865192a03586c5b000314f5", &"a".repeat(65)] {
            assert!(!is_click_id(wrong), "{wrong}");
        }
    }
}
