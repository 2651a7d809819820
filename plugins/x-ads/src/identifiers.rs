//! Who converted: `identifiers`, and whether they suffice.
//!
//! Source: the document, "Preparing Identifiers for Conversion Events" and "identifiers object".

use std::net::Ipv4Addr;

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Rejection};

use crate::config::{AddressAndAgent, Config};

/// One entry of `identifiers`: X's example has one for each, and address and agent together.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Identifier<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    twclid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

/// Collects what identifies the visitor.
///
/// # Errors
/// When X could match nobody by it: "If using IP address or user agent, a second identifier must be sent".
pub(crate) fn collect<'a>(event: &'a Event, config: &Config) -> Result<Vec<Identifier<'a>>, Rejection> {
    let identifier = |key: &str| event.identifier(key).filter(|value| !value.is_empty());
    let twclid = event.click("twclid").map(|click| click.value.as_str()).filter(|value| !value.is_empty());
    let (hashed_email, hashed_phone_number) = (identifier("email"), identifier("phone"));
    // "written in dotted-decimal notation, with four numbers separated by periods".
    let ip_address = event.ip().filter(|ip| ip.parse::<Ipv4Addr>().is_ok());
    let user_agent = event.user_agent().map(str::trim).filter(|agent| !agent.is_empty());
    let kinds = [twclid, hashed_email, hashed_phone_number, ip_address, user_agent];
    match kinds.iter().flatten().count() {
        0 => return Err(Rejection::invalid("no identifier: X needs a click, e-mail or phone, or address and agent")),
        1 if ip_address.is_some() || user_agent.is_some() => {
            return Err(Rejection::invalid(
                "an IP address or a user agent alone: X needs a second identifier beside it",
            ));
        }
        2 if ip_address.is_some() && user_agent.is_some() && config.address_and_agent == AddressAndAgent::Skip => {
            return Err(Rejection::skip("only an IP address and a user agent are known of the visitor"));
        }
        _ => {}
    }
    let all = [
        Identifier { twclid, ..Identifier::default() },
        Identifier { hashed_email, ..Identifier::default() },
        Identifier { hashed_phone_number, ..Identifier::default() },
        Identifier { ip_address, user_agent, ..Identifier::default() },
    ];
    Ok(all.into_iter().filter(|identifier| *identifier != Identifier::default()).collect())
}
