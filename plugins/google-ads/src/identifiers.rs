//! Who converted: `userIdentifiers`, at most five, each exactly one thing.
//!
//! Source: `offline_user_data.proto`: imported conversions take e-mail and phone, enhancements an address as well.

use serde::Serialize;
use tidegate_plugin_sdk::Event;

/// One entry of `userIdentifiers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserIdentifier<'a> {
    user_identifier_source: &'static str,
    #[serde(flatten)]
    identifier: Identifier<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Identifier<'a> {
    HashedEmail(&'a str),
    HashedPhoneNumber(&'a str),
    AddressInfo(AddressInfo<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AddressInfo<'a> {
    hashed_first_name: &'a str,
    hashed_last_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_street_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    postal_code: &'a str,
    country_code: &'a str,
}

/// What an imported conversion may carry.
pub(crate) fn of_conversion(event: &Event) -> Vec<UserIdentifier<'_>> {
    let email = event.identifier("email").map(Identifier::HashedEmail);
    let phone = event.identifier("phone").map(Identifier::HashedPhoneNumber);
    email.into_iter().chain(phone).map(first_party).collect()
}

/// What an enhancement may carry.
pub(crate) fn of_enhancement(event: &Event) -> Vec<UserIdentifier<'_>> {
    let mut identifiers = of_conversion(event);
    identifiers.extend(address(event).map(Identifier::AddressInfo).map(first_party));
    identifiers
}

fn first_party(identifier: Identifier<'_>) -> UserIdentifier<'_> {
    UserIdentifier { user_identifier_source: "FIRST_PARTY", identifier }
}

/// Google matches an address by both names, the postal code and the country; less of one would be sent for nothing.
fn address(event: &Event) -> Option<AddressInfo<'_>> {
    Some(AddressInfo {
        hashed_first_name: event.identifier("first_name")?,
        hashed_last_name: event.identifier("last_name")?,
        hashed_street_address: event.identifier("street"),
        city: event.identifier("city"),
        state: event.identifier("state"),
        postal_code: event.identifier("postal_code")?,
        country_code: event.identifier("country")?,
    })
}
