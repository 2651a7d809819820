//! Who somebody is: Segment's traits.
//!
//! Source: "Spec: Identify", section "Traits", whose names are written in camel case.

use tidegate_plugin_sdk::Event;
use tidegate_plugin_sdk::fields::Fields;

const NAMES: &[(&str, &str)] = &[
    ("email", "email"),
    ("phone", "phone"),
    ("first_name", "firstName"),
    ("last_name", "lastName"),
    ("date_of_birth", "birthday"),
    ("gender", "gender"),
];
const ADDRESS: &[(&str, &str)] = &[
    ("street", "street"),
    ("city", "city"),
    ("state", "state"),
    ("postal_code", "postalCode"),
    ("country", "country"),
];

/// The identifiers of an event under Segment's names.
pub(crate) fn collect(event: &Event) -> Fields<'_> {
    let mut traits = Fields::default();
    for (key, name) in NAMES {
        traits.text(*name, event.identifier(key));
    }
    let mut address = Fields::default();
    for (key, name) in ADDRESS {
        address.text(*name, event.identifier(key));
    }
    traits.object("address", address);
    traits
}
