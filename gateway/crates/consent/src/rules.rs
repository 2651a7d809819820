//! What a site has decided about consent.

use std::collections::BTreeMap;

use tidegate_event::Level;

use crate::{Regions, tcf};

/// A site's rules: `[site] consent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `default`: the level when no signal says anything, and nobody knows where the visitor is. Default `none`.
    pub default: Level,
    /// `regions`: the level when no signal says anything, by where the visitor is. Default none.
    pub regions: Regions,
    /// `tcf`: what a consent string has to consent to.
    pub tcf: tcf::Rules,
    /// `segment_categories`: which category of Segment's preferences means which level:
    /// `{ Advertising = "marketing", Analytics = "analytics" }` is the default.
    pub segment_categories: BTreeMap<String, Level>,
}

impl Default for Rules {
    fn default() -> Rules {
        let segment_categories = [("Advertising", Level::Marketing), ("Analytics", Level::Analytics)];
        Rules {
            default: Level::None,
            regions: Regions::default(),
            tcf: tcf::Rules::default(),
            segment_categories: segment_categories.map(|(name, level)| (name.to_owned(), level)).into(),
        }
    }
}
