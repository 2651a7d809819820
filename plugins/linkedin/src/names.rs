//! The conversion rules that an event is reported to. LinkedIn has no names for events, but rules with ids of their
//! own, so that there is no table: the configuration alone says what a conversion is.

use tidegate_plugin_sdk::{Event, Rejection, names};

use crate::config::{Config, LimitedDataUse};

/// The ids or URNs of the rules.
///
/// # Errors
/// A skip for what no rule is configured for, or what LinkedIn may not use in full; a refusal of tests that would
/// count.
pub(crate) fn conversions<'a>(
    event: &'a Event,
    config: &'a Config,
    test_mode: bool,
) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    let conversions = names::lookup(&[], &config.conversions, name);
    if conversions.as_ref().is_some_and(Vec::is_empty) {
        return Err(Rejection::switched_off(name));
    }
    let limited = event.consent.limited_data_use || event.consent.gpc;
    if limited && config.limited_data_use == LimitedDataUse::Skip {
        return Err(Rejection::skip("the visitor limits the use of data, which LinkedIn cannot be told"));
    }
    if test_mode {
        // Whatever its name: a test asks whether LinkedIn takes anything at all.
        return match config.test_conversion.as_deref() {
            Some(test) => Ok(vec![test]),
            None => Err(Rejection::invalid(
                "a test event would count as a real conversion, as LinkedIn has no test facility: set \
                 `test_conversion`",
            )),
        };
    }
    conversions.ok_or_else(|| Rejection::skip(["no conversion rule is configured for `", name, "`"].concat()))
}
