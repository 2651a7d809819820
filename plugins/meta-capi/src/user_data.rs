//! Who the event is about: Meta's match keys, and whether they suffice.
//!
//! Source: "Customer Information Parameters", and "Best Practices", section "Baseline requirements for matching".

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection, Scalar};

use crate::fbc;
use crate::properties::Properties;

/// `user_data`. Hashed keys are lists, as in Meta's examples; the others must not be hashed.
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
    client_ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fbc: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fbp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<&'a Scalar<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a Scalar<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fb_login_id: Option<&'a Scalar<'a>>,
}

// One bit for each key that alone may be too little; every other key suffices.
const FIRST_NAME: u16 = 1;
const LAST_NAME: u16 = 1 << 1;
const BIRTH: u16 = 1 << 2;
const GENDER: u16 = 1 << 3;
const CITY: u16 = 1 << 4;
const STATE: u16 = 1 << 5;
const ZIP: u16 = 1 << 6;
const COUNTRY: u16 = 1 << 7;
const USER_AGENT: u16 = 1 << 8;
const SUFFICIENT: u16 = 1 << 9;

/// An event with one of these sets of keys, or a part of one, is refused ("likely too broad to match").
const TOO_BROAD: [u16; 4] =
    [CITY | COUNTRY | STATE | ZIP | GENDER | USER_AGENT, BIRTH | USER_AGENT, FIRST_NAME | GENDER, LAST_NAME | GENDER];

/// Collects the match keys of an event.
///
/// # Errors
/// When Meta would refuse them as too few.
pub(crate) fn collect<'a>(event: &'a Event, properties: &'a Properties<'a>) -> Result<UserData<'a>, Rejection> {
    let mut data = UserData::default();
    let mut keys = 0;
    for identifier in &event.identifiers {
        let value = identifier.value.as_str();
        if value.is_empty() {
            continue;
        }
        let (key, slot) = match identifier.key.as_str() {
            "email" => (SUFFICIENT, &mut data.em),
            "phone" => (SUFFICIENT, &mut data.ph),
            "first_name" => (FIRST_NAME, &mut data.first_name),
            "last_name" => (LAST_NAME, &mut data.ln),
            "date_of_birth" => (BIRTH, &mut data.db),
            "gender" => (GENDER, &mut data.ge),
            "city" => (CITY, &mut data.ct),
            "state" => (STATE, &mut data.st),
            "postal_code" => (ZIP, &mut data.zp),
            "country" => (COUNTRY, &mut data.country),
            "external_id" => (SUFFICIENT, &mut data.external_id),
            _ => continue,
        };
        keys |= key;
        *slot = Some([value]);
    }
    data.client_ip_address = event.ip();
    data.client_user_agent = event.user_agent();
    let fbp = event.cookie("_fbp");
    data.fbc = fbc::fbc(event.cookie("_fbc"), fbp, event.click("fbclid"));
    data.fbp = fbc::fbp(fbp);
    data.lead_id = id(&properties.lead_id);
    data.subscription_id = id(&properties.subscription_id);
    data.fb_login_id = id(&properties.fb_login_id);
    if data.has_sufficient() {
        keys |= SUFFICIENT;
    }
    if data.client_user_agent.is_some() {
        keys |= USER_AGENT;
    }
    check(keys)?;
    Ok(data)
}

impl UserData<'_> {
    fn has_sufficient(&self) -> bool {
        self.client_ip_address.is_some()
            || self.fbc.is_some()
            || self.fbp.is_some()
            || self.lead_id.is_some()
            || self.subscription_id.is_some()
            || self.fb_login_id.is_some()
    }
}

/// An id that Meta takes as text or as a number.
fn id<'a>(property: &'a Option<Scalar<'a>>) -> Option<&'a Scalar<'a>> {
    property.as_ref().filter(|id| matches!(id, Scalar::Integer(_)) || id.text().is_some())
}

fn check(keys: u16) -> Result<(), Rejection> {
    if keys == 0 {
        return Err(Rejection::invalid(
            "no match key: Meta needs an e-mail, phone, customer id, click, `_fbp` cookie or IP address",
        ));
    }
    if TOO_BROAD.iter().any(|broad| keys & !broad == 0) {
        return Err(Rejection::invalid(
            "too few match keys: Meta refuses what is known of this person as too broad to match",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_combinations_that_meta_calls_too_broad_are_refused() {
        for broad in TOO_BROAD {
            assert!(check(broad).is_err());
            assert_eq!(check(broad | SUFFICIENT), Ok(()));
        }
        // Meta's own example of a subset: a man in Menlo Park, California, United States.
        assert!(check(GENDER | CITY | STATE | COUNTRY).is_err());
        assert_eq!(check(FIRST_NAME | LAST_NAME), Ok(()));
        assert_eq!(check(FIRST_NAME | ZIP), Ok(()));
    }
}
