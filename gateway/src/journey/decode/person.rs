//! Who a person is: the traits of any client, as identifiers under the names that plugins know.

use serde_json::Value;
use tidegate_event::Identifiers;

use super::field::{FieldError, Fields};

/// Identifier, and what clients call it.
const NAMES: &[(&str, &[&str])] = &[
    ("email", &["email"]),
    ("phone", &["phone", "phone_number", "phoneNumber"]),
    ("first_name", &["first_name", "firstName", "firstname"]),
    ("last_name", &["last_name", "lastName", "lastname"]),
    ("date_of_birth", &["date_of_birth", "dateOfBirth", "birthday"]),
    ("gender", &["gender"]),
    ("external_id", &["external_id", "externalId"]),
];
/// The same for the parts of an address, which may stand in `address` or beside it.
const ADDRESS: &[(&str, &[&str])] = &[
    ("street", &["street"]),
    ("city", &["city"]),
    ("state", &["state", "region"]),
    ("postal_code", &["postal_code", "postalCode", "zip"]),
    ("country", &["country", "country_code", "countryCode"]),
];

/// Reads the identifiers among a person's traits; other traits stay with the event's properties.
pub(super) fn identifiers(traits: Fields<'_>, into: &mut Identifiers) -> Result<(), FieldError> {
    read(NAMES, traits, into)?;
    read(ADDRESS, traits, into)?;
    if let Some(address) = traits.get("address").and_then(Value::as_object) {
        read(ADDRESS, Fields::root(address), into)?;
    }
    Ok(())
}

/// Whether a trait is one of the identifiers, so that it is not repeated among the properties.
pub(super) fn is_identifier(name: &str) -> bool {
    name == "address" || NAMES.iter().chain(ADDRESS).any(|(_, names)| names.contains(&name))
}

fn read(
    table: &[(&'static str, &'static [&'static str])],
    from: Fields<'_>,
    into: &mut Identifiers,
) -> Result<(), FieldError> {
    for (identifier, names) in table {
        if let Some(value) = from.id(names)? {
            into.entry((*identifier).to_owned()).or_insert(value);
        }
    }
    Ok(())
}
