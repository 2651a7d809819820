//! Who the event is about: Reddit's match keys, whether they suffice, and how the data may be processed.
//!
//! Source: the help on match keys of business.reddithelp.com, and `user` of "Post Conversion Events".

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::{Config, LimitedDataUse};

/// `user`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idfa: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aaid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options: Option<Processing<'a>>,
}

/// Limited data use, and where the person is.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Processing<'a> {
    modes: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

/// Collects the match keys of an event. `click_id` stands outside of `user`, and counts among them.
///
/// # Errors
/// When there is nothing that Reddit could find a person by.
pub(crate) fn collect<'a>(
    event: &'a Event,
    click_id: Option<&str>,
    config: &'a Config,
) -> Result<Option<User<'a>>, Rejection> {
    let known = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let user = User {
        email: known("email"),
        phone_number: known("phone"),
        external_id: known("external_id"),
        idfa: known("idfa"),
        aaid: known("aaid"),
        uuid: event.cookie("_rdt_uuid").and_then(uuid),
        ip_address: event.ip(),
        user_agent: event.user_agent(),
        data_processing_options: processing(event, config),
    };
    if click_id.is_none() && !user.has_key() {
        return Err(Rejection::invalid(
            "no match key: Reddit needs a click, an e-mail, phone, customer id, advertising id, `_rdt_uuid` cookie or \
             IP address",
        ));
    }
    let is_something = user.has_key() || user.user_agent.is_some() || user.data_processing_options.is_some();
    Ok(is_something.then_some(user))
}

impl User<'_> {
    /// A user agent finds nobody by itself.
    fn has_key(&self) -> bool {
        let keys = [self.email, self.phone_number, self.external_id, self.idfa, self.aaid, self.uuid, self.ip_address];
        keys.iter().any(Option::is_some)
    }
}

/// The click in the visit, else the cookie that Reddit's pixel keeps it in.
pub(crate) fn click_id(event: &Event) -> Option<&str> {
    let click = event.click("rdt_cid").map(|click| click.value.as_str());
    click.or(event.cookie("_rdt_cid")).filter(|id| !id.is_empty())
}

/// The visitor's id in the pixel's cookie, `<milliseconds>.<uuid>`; Reddit wants the second half.
fn uuid(cookie: &str) -> Option<&str> {
    let id = match cookie.split_once('.') {
        Some((ms, id)) if ms.bytes().all(|byte| byte.is_ascii_digit()) => id,
        Some(_) => return None,
        None => cookie,
    };
    let is_part = |(index, part): (usize, &str)| {
        part.len() == [8, 4, 4, 4, 12].get(index).copied().unwrap_or_default()
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (id.split('-').count() == 5 && id.split('-').enumerate().all(is_part)).then_some(id)
}

fn processing<'a>(event: &'a Event, config: &'a Config) -> Option<Processing<'a>> {
    let consent = &event.consent;
    let always = config.limited_data_use == LimitedDataUse::Always;
    if !(consent.limited_data_use || consent.gpc || always) {
        return None;
    }
    let known = event.client.as_ref().and_then(|client| place(client.region.as_deref()?));
    let (country, region) = match known {
        Some((country, region)) => (Some(country), region),
        None => (config.limited_data_use_country.as_deref(), None),
    };
    Some(Processing { modes: ["LDU"], country, region })
}

/// Country and ISO 3166-2 region of `US-CA`; the country alone of `US`.
fn place(region: &str) -> Option<(&str, Option<&str>)> {
    let (country, part) = match region.split_once('-') {
        Some((country, _)) => (country, Some(region)),
        None => (region, None),
    };
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    is_country.then_some((country, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixels_cookie_holds_a_uuid_behind_a_time() {
        let id = "7cb1e3b5-08f4-4d0a-9e8e-5a2a1c2b3d4e";
        assert_eq!(uuid(&format!("1684189007728.{id}")), Some(id));
        assert_eq!(uuid(id), Some(id));
        for odd in ["", "1684189007728.", "x.7cb1e3b5-08f4-4d0a-9e8e-5a2a1c2b3d4e", "7cb1e3b5-08f4-4d0a-9e8e", "----"] {
            assert_eq!(uuid(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_region_names_its_country() {
        assert_eq!(place("US-CA"), Some(("US", Some("US-CA"))));
        assert_eq!(place("AT"), Some(("AT", None)));
        for odd in ["", "us-ca", "USA", "é-CA"] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }
}
