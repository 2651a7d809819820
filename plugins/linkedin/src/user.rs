//! Who the event is about: LinkedIn's identifiers, and whether they suffice.
//!
//! Source: "Conversions API Schema". `userIds` is required even where it is empty; ORACLE_MOAT_ID, which it once
//! listed, is not among the types any more, and GOOGLE_AID and IDFA belong to apps.

use std::net::Ipv4Addr;

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::{Config, UserInfo};

/// `user`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User<'a> {
    user_ids: Vec<UserId<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_ids: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_info: Option<Info<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserId<'a> {
    id_type: &'static str,
    id_value: &'a str,
}

/// `userInfo`, of which the first and the last name are required.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    first_name: &'a str,
    last_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<&'a str>,
}

/// Collects the identifiers of an event.
///
/// # Errors
/// When there is nothing that LinkedIn could find a person by.
pub(crate) fn collect<'a>(event: &'a Event, config: &Config) -> Result<User<'a>, Rejection> {
    let known = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let candidates = [
        ("SHA256_EMAIL", known("email")),
        ("LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", click_id(event)),
        ("ACXIOM_ID", known("acxiom_id")),
        ("PLAINTEXT_IP_ADDRESS", event.ip().filter(|ip| is_ipv4(ip))),
    ];
    let ids = candidates.into_iter().filter_map(|(id_type, value)| Some(UserId { id_type, id_value: value? }));
    let user = User {
        user_ids: ids.collect(),
        external_ids: known("external_id").map(|id| [id]),
        user_info: (config.user_info == UserInfo::Send).then(|| info(known)).flatten(),
    };
    if user.user_ids.is_empty() && user.external_ids.is_none() && user.user_info.is_none() {
        return Err(Rejection::invalid(
            "no identifier: LinkedIn needs an e-mail, a click (li_fat_id), an IPv4 address, a customer id, or an \
             Acxiom id",
        ));
    }
    Ok(user)
}

/// The click in the visit, else the Insight Tag's cookie, which lasts longer than a visit.
fn click_id(event: &Event) -> Option<&str> {
    let click = event.click("li_fat_id").map(|click| click.value.as_str());
    click.or(event.cookie("li_fat_id")).filter(|id| !id.is_empty())
}

/// LinkedIn knows IPv4 only: another address is taken and matches nobody.
fn is_ipv4(ip: &str) -> bool {
    ip.parse::<Ipv4Addr>().is_ok()
}

fn info<'a>(known: impl Fn(&str) -> Option<&'a str>) -> Option<Info<'a>> {
    Some(Info {
        first_name: known("first_name")?,
        last_name: known("last_name")?,
        title: known("title"),
        company_name: known("company"),
        country_code: known("country"),
    })
}
