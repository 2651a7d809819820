//! The few properties that are granted, each as one value, without a tree of JSON.

use serde::Deserialize;
use tidegate_plugin_sdk::{Scalar, json};

/// The properties that `plugin.toml` grants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Properties<'a> {
    #[serde(borrow)]
    pub(crate) event_category: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) event_label: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) event_value: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) item_list_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) page_load_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) page_type: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) query: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) search_term: Option<Scalar<'a>>,
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
        assert_eq!(Scalar::text_of(&parse(r#"{"query":"shoes","page_type":[]}"#).query), Some("shoes"));
    }
}
