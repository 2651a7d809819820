//! Who the event is about: Snap's match keys, and whether they suffice.
//!
//! Source: "Parameters, User Data Parameters", and "Using the API, Required Parameters".

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection, Scalar};

use crate::properties::Properties;

/// `user_data`. Hashed keys are lists, as in Snap's OpenAPI file; the others must not be hashed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct UserData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    em: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ph: Option<[&'a str; 1]>,
    #[serde(rename = "fn", skip_serializing_if = "Option::is_none")]
    first_name: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ln: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ge: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ct: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    st: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zp: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sc_click_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sc_cookie1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a str>,
}

/// Collects the match keys of an event.
///
/// # Errors
/// When Snap would refuse them as too few ("Insufficient PII").
pub(crate) fn collect<'a>(event: &'a Event, properties: &'a Properties<'a>) -> Result<UserData<'a>, Rejection> {
    let known = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let hashed = |key: &str| known(key).map(|digest| [digest]);
    let click = event.click("ScCid").map(|click| click.value.as_str());
    let data = UserData {
        em: hashed("email"),
        ph: hashed("phone"),
        first_name: hashed("first_name"),
        ln: hashed("last_name"),
        ge: hashed("gender"),
        ct: hashed("city"),
        st: hashed("state"),
        zp: hashed("postal_code"),
        country: hashed("country"),
        external_id: known("external_id"),
        client_ip_address: event.ip(),
        client_user_agent: event.user_agent(),
        sc_click_id: click.or_else(|| event.cookie("_scclid")).filter(|click| !click.is_empty()),
        sc_cookie1: event.cookie("_scid").filter(|cookie| !cookie.is_empty()),
        lead_id: Scalar::text_of(&properties.lead_id),
        subscription_id: Scalar::text_of(&properties.subscription_id),
    };
    if data.suffices() {
        return Ok(data);
    }
    Err(Rejection::invalid("too few match keys: Snap needs an e-mail, a phone, or IP address with user agent"))
}

impl UserData<'_> {
    /// "At least one of the following": a mobile advertising id suffices too, which a website has not.
    fn suffices(&self) -> bool {
        self.em.is_some() || self.ph.is_some() || (self.client_ip_address.is_some() && self.client_user_agent.is_some())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::{ClickId, Client, Identifier};

    use super::*;

    fn with_email() -> Event {
        let email = Identifier { key: "email".into(), value: "62a1".into() };
        Event { identifiers: vec![email], ..Event::example() }
    }

    #[test]
    fn an_address_needs_its_agent() {
        let client = |ip: Option<&str>, user_agent: Option<&str>| {
            let (ip, user_agent) = (ip.map(Into::into), user_agent.map(Into::into));
            Event { client: Some(Client { ip, user_agent, locale: None, region: None }), ..Event::example() }
        };
        assert!(collect(&client(Some("192.0.2.1"), None), &Properties::default()).is_err());
        assert!(collect(&client(None, Some("Mozilla/5.0")), &Properties::default()).is_err());
        assert!(collect(&client(Some("192.0.2.1"), Some("Mozilla/5.0")), &Properties::default()).is_ok());
    }

    #[test]
    fn the_click_of_the_profile_goes_before_the_cookie() {
        let click = ClickId { kind: "ScCid".into(), value: "new".into(), seen_ms: 1 };
        let event = Event { clicks: vec![click], cookies: vec![("_scclid".into(), "old".into())], ..with_email() };
        assert_eq!(collect(&event, &Properties::default()).unwrap().sc_click_id, Some("new"));
        let event = Event { clicks: Vec::new(), ..event };
        assert_eq!(collect(&event, &Properties::default()).unwrap().sc_click_id, Some("old"));
    }
}
