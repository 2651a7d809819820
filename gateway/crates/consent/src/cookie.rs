//! Our own cookie, which keeps what the visitor told us: `v1.<level>.<unix seconds>`.
//!
//! There is no way to make one of a default: only [`Own`] makes one, and only what the visitor says is that.

use std::fmt;

use tidegate_event::Level;

use crate::{Own, Unreadable};

/// Its name. Scripts may read it: the snippet has to know what it may keep in the browser.
pub const NAME: &str = "tg_consent";

/// How long it lives: 400 days, which browsers cut longer lives down to.
pub const LIFE_S: u32 = 400 * 24 * 60 * 60;

/// What the cookie keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// What was told.
    pub level: Level,
    /// When it was told, in Unix seconds.
    pub at_s: u64,
}

impl Stored {
    /// What was told at a time. The cookie holds levels only, and never one of which a part was refused.
    pub fn of(own: Own, at_s: u64) -> Stored {
        Stored { level: own.level_whole(), at_s }
    }

    /// Reads the cookie's value.
    ///
    /// # Errors
    /// When it is none that this version makes.
    pub fn parse(value: &str) -> Result<Stored, Unreadable> {
        if value.len() > 64 {
            return Err(Unreadable::TooLong { max: 64 });
        }
        let rest = value.strip_prefix("v1.").ok_or(Unreadable::Version)?;
        let (level, at) = rest.split_once('.').ok_or(Unreadable::Truncated)?;
        let level = Level::parse(level).ok_or(Unreadable::Contradiction)?;
        if at.is_empty() || !at.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Unreadable::Character);
        }
        Ok(Stored { level, at_s: at.parse().map_err(|_| Unreadable::Contradiction)? })
    }
}

/// The cookie's value.
impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}.{}", self.level.as_str(), self.at_s)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for level in [Level::None, Level::Analytics, Level::Marketing] {
            let stored = Stored::of(Own::at(level), 1_767_225_600);
            assert_eq!(Stored::parse(&stored.to_string()), Ok(stored));
        }
        assert_eq!(Stored::of(Own::at(Level::Analytics), 1_767_225_600).to_string(), "v1.analytics.1767225600");
    }

    #[test]
    fn a_level_of_which_a_part_was_refused_is_not_kept() {
        let own = Own::parse(&json!({ "analytics": false, "marketing": true }), "consent").unwrap();
        assert_eq!(Stored::of(own, 1).level, Level::None);
    }

    #[test]
    fn other_values_are_not_read() {
        let many = "v1.none.99999999999999999999999";
        for value in [
            "",
            "marketing",
            "v2.marketing.1",
            "v1.marketing",
            "v1.all.1",
            "v1.none.",
            "v1.none.+1",
            "v1.none.1.2",
            many,
        ] {
            assert!(Stored::parse(value).is_err(), "{value}");
        }
    }
}
