//! Who the event is about: Pinterest's match keys, and whether they suffice.
//!
//! Source: `ConversionEventsUserData` of the OpenAPI description. Hashed keys are lists there, the others are text.

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

/// `user_data`.
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
    db: Option<[&'a str; 1]>,
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
    external_id: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_maids: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click_id: Option<&'a str>,
}

/// Collects the match keys of an event.
///
/// # Errors
/// When Pinterest would refuse them as too few: "It is required at least one of 1) em, 2) hashed_maids or 3) pair
/// client_ip_address + client_user_agent". A click alone is not among them.
pub(crate) fn collect(event: &Event) -> Result<UserData<'_>, Rejection> {
    let mut data = UserData::default();
    for identifier in &event.identifiers {
        let value = identifier.value.as_str();
        if value.is_empty() {
            continue;
        }
        let slot = match identifier.key.as_str() {
            "email" => &mut data.em,
            "phone" => &mut data.ph,
            "first_name" => &mut data.first_name,
            "last_name" => &mut data.ln,
            "date_of_birth" => &mut data.db,
            "gender" => &mut data.ge,
            "city" => &mut data.ct,
            "state" => &mut data.st,
            "postal_code" => &mut data.zp,
            "country" => &mut data.country,
            "external_id" => &mut data.external_id,
            "advertising_id" => &mut data.hashed_maids,
            _ => continue,
        };
        *slot = Some([value]);
    }
    data.client_ip_address = event.ip();
    data.client_user_agent = event.user_agent();
    data.click_id = click_id(event);
    let has_client = data.client_ip_address.is_some() && data.client_user_agent.is_some();
    if data.em.is_some() || data.hashed_maids.is_some() || has_client {
        Ok(data)
    } else {
        Err(Rejection::invalid(
            "no match key: Pinterest needs an e-mail, an advertising id, or the IP address and the user agent",
        ))
    }
}

/// "The unique identifier stored in _epik cookie on your domain or &epik= query parameter in the URL." The click comes
/// first: Pinterest's tag writes the cookie from it, so that a cookie that differs is the older of the two.
fn click_id(event: &Event) -> Option<&str> {
    let click = event.click("epik").map(|click| click.value.as_str());
    click.or(event.cookie("_epik")).filter(|id| !id.is_empty())
}
