//! The few properties that are granted, without a tree of JSON values: this runs for every event.

use serde::Deserialize;
use tidegate_plugin_sdk::{Scalar, json};

/// The properties that `plugin.toml` grants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Properties<'a> {
    #[serde(borrow)]
    pub(crate) action_source: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_category: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_name: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) content_type: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) delivery_category: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) fb_login_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) item_list_name: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) lead_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) num_items: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) predicted_ltv: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) query: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) search_term: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) status: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_id: Option<Scalar<'a>>,
}

/// Reads an event's properties. What is no object has none.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    json::properties(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_has_no_properties() {
        assert!(parse("[]").query.is_none());
        assert!(parse("").query.is_none());
        assert_eq!(parse(r#"{"query":"shoes","status":[]}"#).query.as_ref().and_then(Scalar::text), Some("shoes"));
    }
}
