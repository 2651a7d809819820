//! The plugin's configuration and an event's properties as types of the plugin's own.

use serde::Deserialize;

use crate::{Context, Rejection};

/// The plugin's configuration. The gateway has checked it against the manifest's `[config]` schema and filled in its
/// defaults, so a failure here means that the schema and the type disagree.
///
/// # Errors
/// [`Rejection::Invalid`] that names the field.
pub fn config<'a, T: Deserialize<'a>>(ctx: &'a Context) -> Result<T, Rejection> {
    serde_json::from_str(&ctx.config).map_err(|e| Rejection::invalid(format!("the plugin's configuration: {e}")))
}

/// The few properties that a plugin reads, without a tree of JSON values: of an event or an item. `T` has
/// `#[serde(default)]`, and a field `Option<Scalar<'a>>` with `#[serde(borrow)]` for each, so that one of an odd type
/// spoils nothing. A text that is no object gives the default.
#[inline]
pub fn properties<'a, T: Deserialize<'a> + Default>(text: &'a str) -> T {
    match text {
        "" | "{}" => T::default(),
        text => serde_json::from_str(text).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Config {
        pixel_id: String,
    }

    #[test]
    fn a_configuration_that_does_not_fit_names_the_field() {
        let ctx = |config: &str| Context { config: config.into(), ..Context::example() };
        assert_eq!(config::<Config>(&ctx(r#"{"pixel_id":"1"}"#)), Ok(Config { pixel_id: "1".into() }));
        let Err(Rejection::Invalid(reason)) = config::<Config>(&ctx("{}")) else { panic!("must be refused") };
        assert!(reason.contains("missing field `pixel_id`"), "{reason}");
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Granted<'a> {
        #[serde(borrow)]
        query: Option<Scalar<'a>>,
    }

    #[test]
    fn properties_that_are_no_object_are_none() {
        for text in ["", "{}", "[]", "{", "1"] {
            assert_eq!(properties::<Granted<'_>>(text), Granted::default(), "{text}");
        }
        let granted: Granted<'_> = properties(r#"{"query":"shoes","other":[]}"#);
        assert_eq!(granted.query.as_ref().and_then(Scalar::text), Some("shoes"));
    }
}
