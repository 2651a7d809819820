//! Our own signal: a level's name, or `{"analytics": true, "marketing": false}`.

use serde_json::Value;
use tidegate_event::{Level, Purposes, Signal};

use crate::FieldError;
use crate::reading::{Reading, level_of, purposes_of, purposes_of_answers};

/// What our own signal may be.
pub(crate) const EXPECTED: &str = "`none`, `analytics`, `marketing`, or {\"analytics\": true, \"marketing\": false}";

/// What the visitor told us in our own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    granted: Purposes,
}

impl Own {
    /// Exactly a level.
    pub fn at(level: Level) -> Own {
        Own { granted: purposes_of(level) }
    }

    /// Reads a value. Of an object only `analytics` and `marketing` are looked at; `field` is its path, for the error.
    ///
    /// # Errors
    /// When it is no level, has neither of the two answers, or one of them is not true or false.
    pub fn parse(value: &Value, field: &str) -> Result<Own, FieldError> {
        let wrong = || FieldError::wrong(field, EXPECTED, value);
        match value {
            Value::String(name) => Level::parse(name).map(Own::at).ok_or_else(wrong),
            Value::Object(object) => {
                let answer = |name: &str| match object.get(name) {
                    None | Some(Value::Null) => Ok(None),
                    Some(Value::Bool(answer)) => Ok(Some(*answer)),
                    Some(other) => Err(FieldError::wrong(format!("{field}.{name}"), "true or false", other)),
                };
                match (answer("analytics")?, answer("marketing")?) {
                    (None, None) => Err(wrong()),
                    (analytics, marketing) => Ok(Own { granted: purposes_of_answers(analytics, marketing) }),
                }
            }
            _ => Err(wrong()),
        }
    }

    /// The level that it reaches.
    pub fn level(self) -> Level {
        level_of(self.granted)
    }

    /// The highest level of which everything is granted. Differs from [`Own::level`] when marketing was granted and
    /// analytics refused.
    pub fn level_whole(self) -> Level {
        let whole = |level: &Level| purposes_of(*level).intersection(self.granted) == purposes_of(*level);
        [Level::Marketing, Level::Analytics].into_iter().find(whole).unwrap_or(Level::None)
    }

    pub(crate) fn reading(self, signal: Signal) -> Reading {
        Reading::of(self.granted, signal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_event::Purpose;

    use super::*;

    fn parsed(value: &Value) -> Own {
        Own::parse(value, "consent").unwrap()
    }

    #[test]
    fn levels_and_answers_are_read() {
        for (value, level) in [
            (json!("none"), Level::None),
            (json!("analytics"), Level::Analytics),
            (json!("marketing"), Level::Marketing),
            (json!({ "analytics": true }), Level::Analytics),
            (json!({ "analytics": true, "marketing": false }), Level::Analytics),
            (json!({ "analytics": true, "marketing": true }), Level::Marketing),
            (json!({ "marketing": true }), Level::Marketing),
            (json!({ "analytics": null, "marketing": false }), Level::None),
        ] {
            assert_eq!(parsed(&value), Own::at(level), "{value}");
        }
    }

    #[test]
    fn a_refusal_of_analytics_beside_marketing_is_kept() {
        let own = parsed(&json!({ "analytics": false, "marketing": true }));
        let reading = own.reading(Signal::Event);
        assert!(reading.denied.contains(Purpose::Analytics) && reading.granted.contains(Purpose::AdUserData));
        assert_eq!((own.level(), own.level_whole()), (Level::Marketing, Level::None));
    }

    #[test]
    fn an_error_names_the_field_and_what_was_found() {
        let error = |value: Value| Own::parse(&value, "consent").unwrap_err().to_string();
        assert_eq!(
            error(json!("all")),
            "consent: expected `none`, `analytics`, `marketing`, or {\"analytics\": true, \"marketing\": false}, \
             found the text \"all\""
        );
        assert_eq!(
            error(json!({ "marketing": "yes" })),
            "consent.marketing: expected true or false, found the text \"yes\""
        );
        assert!(error(json!({})).ends_with("found an object"));
        assert!(error(json!(true)).ends_with("found true"));
    }
}
