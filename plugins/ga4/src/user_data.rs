//! Hashed identifiers as Google's user-provided data.
//!
//! Source: "Send user-provided data with User-ID using the Measurement Protocol". The gateway has normalised and hashed.

use serde::Serialize;
use tidegate_plugin_sdk::{Event, Purposes};

/// `user_data`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct UserData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256_email_address: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256_phone_number: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<[Address<'a>; 1]>,
}

#[derive(Debug, Serialize)]
struct Address<'a> {
    sha256_first_name: &'a str,
    sha256_last_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256_street: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    postal_code: &'a str,
    country: &'a str,
}

/// What may be sent of who the visitor is: nothing without consent to the use of user data for advertising.
pub(crate) fn collect(event: &Event) -> Option<UserData<'_>> {
    if event.identifiers.is_empty() || !event.consent.granted.contains(Purposes::AD_USER_DATA) {
        return None;
    }
    let data = UserData {
        sha256_email_address: event.identifier("email").map(|digest| [digest]),
        sha256_phone_number: event.identifier("phone").map(|digest| [digest]),
        address: address(event).map(|address| [address]),
    };
    let is_something =
        data.sha256_email_address.is_some() || data.sha256_phone_number.is_some() || data.address.is_some();
    is_something.then_some(data)
}

/// Google matches an address by both names, the postal code and the country; less of one would be sent for nothing.
fn address(event: &Event) -> Option<Address<'_>> {
    Some(Address {
        sha256_first_name: event.identifier("first_name")?,
        sha256_last_name: event.identifier("last_name")?,
        sha256_street: event.identifier("street"),
        city: event.identifier("city"),
        region: event.identifier("state"),
        postal_code: event.identifier("postal_code")?,
        country: event.identifier("country")?,
    })
}
