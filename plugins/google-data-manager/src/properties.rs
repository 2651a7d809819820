//! The few properties that are granted, without a tree of JSON values.

use serde::Deserialize;
use tidegate_plugin_sdk::{Scalar, json};

/// The properties that `plugin.toml` grants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Properties<'a> {
    #[serde(borrow)]
    pub(crate) customer_type: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) discount: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) new_customer: Option<Scalar<'a>>,
}

/// Reads an event's properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    json::properties(text)
}

impl Properties<'_> {
    /// Whether the customer is new: `new_customer` as Google's tag has it, or `customer_type` as GA4 has it.
    pub(crate) fn customer_type(&self) -> Option<&'static str> {
        match (&self.new_customer, self.customer_type.as_ref().and_then(Scalar::text)) {
            (Some(Scalar::Bool(true)), _) | (_, Some("new")) => Some("NEW"),
            (Some(Scalar::Bool(false)), _) | (_, Some("returning")) => Some("RETURNING"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_new_returning_or_not_known() {
        let type_of = |text: &str| parse(text).customer_type();
        assert_eq!(type_of(r#"{"new_customer":true}"#), Some("NEW"));
        assert_eq!(type_of(r#"{"new_customer":false,"customer_type":"odd"}"#), Some("RETURNING"));
        assert_eq!(type_of(r#"{"customer_type":"returning"}"#), Some("RETURNING"));
        assert_eq!(type_of(r#"{"new_customer":"yes"}"#), None);
        assert_eq!(type_of("[]"), None);
    }
}
