//! Who converted: `userData.userIdentifiers`, each exactly one thing; Google takes ten and there are three.

use serde::Serialize;
use tidegate_plugin_sdk::Event;

/// `userData`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserData<'a> {
    user_identifiers: Vec<UserIdentifier<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum UserIdentifier<'a> {
    EmailAddress(&'a str),
    PhoneNumber(&'a str),
    Address(Address<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Address<'a> {
    given_name: &'a str,
    family_name: &'a str,
    region_code: &'a str,
    postal_code: &'a str,
}

/// What is known of the visitor; nothing where nothing is.
pub(crate) fn collect(event: &Event) -> Option<UserData<'_>> {
    let email = event.identifier("email").map(UserIdentifier::EmailAddress);
    let phone = event.identifier("phone").map(UserIdentifier::PhoneNumber);
    let address = address(event).map(UserIdentifier::Address);
    let user_identifiers: Vec<_> = email.into_iter().chain(phone).chain(address).collect();
    (!user_identifiers.is_empty()).then_some(UserData { user_identifiers })
}

/// "A grouping of identifiers that are matched all at once": each of them is required.
fn address(event: &Event) -> Option<Address<'_>> {
    Some(Address {
        given_name: event.identifier("first_name")?,
        family_name: event.identifier("last_name")?,
        region_code: event.identifier("country")?,
        postal_code: event.identifier("postal_code")?,
    })
}
