//! The plugin's configuration as a type of its own.

use serde::de::DeserializeOwned;

use crate::{Context, Rejection};

/// The plugin's configuration. The gateway has checked it against the manifest's `[config]` schema and filled in its
/// defaults, so a failure here means that the schema and the type disagree.
///
/// # Errors
/// [`Rejection::Invalid`] that names the field.
pub fn config<T: DeserializeOwned>(ctx: &Context) -> Result<T, Rejection> {
    serde_json::from_str(&ctx.config).map_err(|e| Rejection::invalid(format!("the plugin's configuration: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
