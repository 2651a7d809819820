//! Who the event is about: TikTok's `user`, and whether it suffices.
//!
//! Source: "Events API 2.0, Payload, user". A list of several e-mail addresses or phones is allowed there; there is one.

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

/// `user`. Hashed where `plugin.toml` says so.
#[derive(Debug, Default, Serialize)]
pub(crate) struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttclid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zip_code: Option<&'a str>,
}

/// Collects what is known of the person.
///
/// # Errors
/// When TikTok could match nobody: a name, a city, or an address or an agent alone is no identifier to it.
pub(crate) fn collect(event: &Event) -> Result<User<'_>, Rejection> {
    let known = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let click = event.click("ttclid").map(|click| click.value.as_str());
    let user = User {
        email: known("email"),
        phone: known("phone"),
        external_id: known("external_id"),
        ttclid: click.or_else(|| event.cookie("ttclid")).filter(|click| !click.is_empty()),
        ttp: event.cookie("_ttp").filter(|cookie| !cookie.is_empty()),
        ip: event.ip(),
        user_agent: event.user_agent(),
        first_name: known("first_name"),
        last_name: known("last_name"),
        city: known("city"),
        state: known("state"),
        country: known("country"),
        zip_code: known("postal_code"),
    };
    if user.suffices() {
        return Ok(user);
    }
    Err(Rejection::invalid(
        "no identifier: TikTok needs an e-mail, phone, customer id, click, `_ttp` cookie, or IP address with user agent",
    ))
}

impl User<'_> {
    fn suffices(&self) -> bool {
        self.email.is_some()
            || self.phone.is_some()
            || self.external_id.is_some()
            || self.ttclid.is_some()
            || self.ttp.is_some()
            || (self.ip.is_some() && self.user_agent.is_some())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::{ClickId, Client};

    use super::*;

    fn client(ip: Option<&str>, user_agent: Option<&str>) -> Event {
        let client =
            Client { ip: ip.map(Into::into), user_agent: user_agent.map(Into::into), locale: None, region: None };
        Event { client: Some(client), ..Event::example() }
    }

    #[test]
    fn an_address_needs_its_agent() {
        assert!(collect(&client(Some("192.0.2.1"), None)).is_err());
        assert!(collect(&client(None, Some("Mozilla/5.0"))).is_err());
        assert!(collect(&client(Some("192.0.2.1"), Some("Mozilla/5.0"))).is_ok());
    }

    #[test]
    fn the_click_of_the_profile_goes_before_the_cookie() {
        let click = ClickId { kind: "ttclid".into(), value: "E.C.P.new".into(), seen_ms: 1 };
        let cookies = vec![("ttclid".into(), "E.C.P.old".into())];
        let event = Event { clicks: vec![click], cookies, ..Event::example() };
        assert_eq!(collect(&event).unwrap().ttclid, Some("E.C.P.new"));
        let event = Event { clicks: Vec::new(), ..event };
        assert_eq!(collect(&event).unwrap().ttclid, Some("E.C.P.old"));
    }
}
