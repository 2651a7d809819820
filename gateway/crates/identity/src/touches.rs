//! Touches: how a visitor came here, the first time and the times after that.
//!
//! The first touch is written once; beside it is a bounded list of the newest, each with its time. Where they are stored is
//! the profile's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_event::ClickId;

use crate::clicks;

/// How many touches are kept beside the first.
pub const TOUCHES_MAX: usize = 20;

/// One arrival by a click or a campaign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Touch {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Click IDs, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clicks: BTreeMap<String, String>,
    /// The campaign, by the parameter's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub campaign: BTreeMap<String, String>,
}

/// A visitor's touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touches {
    /// The first of all, written once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Touch>,
    /// The newest, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    newest: Vec<Touch>,
}

impl Touch {
    /// The touch of a page view: the clicks that its address carries, and its campaign. None where nothing led here.
    pub fn of_url(url: &str, at_ms: u64) -> Option<Touch> {
        let clicks = clicks::in_url(url, at_ms).into_iter().map(|ClickId { kind, value, .. }| (kind, value)).collect();
        let campaign = clicks::campaign(url).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(Touch { at_ms, clicks, campaign }).filter(|touch| !touch.is_empty())
    }

    fn is_empty(&self) -> bool {
        self.clicks.is_empty() && self.campaign.is_empty()
    }

    fn is_same(&self, other: &Touch) -> bool {
        (&self.clicks, &self.campaign) == (&other.clicks, &other.campaign)
    }
}

impl Touches {
    /// The first touch.
    pub fn first(&self) -> Option<&Touch> {
        self.first.as_ref()
    }

    /// The newest touches, oldest first.
    pub fn newest(&self) -> &[Touch] {
        &self.newest
    }

    /// Notes a touch. The same one again keeps its first time, an empty one is none, and the first of all stays.
    pub fn note(&mut self, touch: Touch) {
        if touch.is_empty() {
            return;
        }
        self.first.get_or_insert_with(|| touch.clone());
        self.insert(touch);
        self.bound();
    }

    /// Joins what two profiles know of one visitor: the earlier first touch, and the newest of both. In either order the
    /// result is the same.
    pub fn merge(&mut self, other: Touches) {
        self.first = match (self.first.take(), other.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for touch in other.newest {
            self.insert(touch);
        }
        self.bound();
    }

    fn insert(&mut self, touch: Touch) {
        match self.newest.iter_mut().find(|known| known.is_same(&touch)) {
            Some(known) => known.at_ms = known.at_ms.min(touch.at_ms),
            None => self.newest.push(touch),
        }
    }

    fn bound(&mut self) {
        self.newest.sort();
        let surplus = self.newest.len().saturating_sub(TOUCHES_MAX);
        self.newest.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn touch(url: &str, at_ms: u64) -> Touch {
        Touch::of_url(url, at_ms).unwrap()
    }

    #[test]
    fn the_first_touch_is_written_once() {
        let mut touches = Touches::default();
        touches.note(touch("https://a/?gclid=one&utm_source=ads", 100));
        touches.note(touch("https://a/?fbclid=two", 200));
        touches.note(touch("https://a/?fbclid=late", 50));
        assert_eq!(touches.first().unwrap().clicks["gclid"], "one");
        assert_eq!(touches.first().unwrap().campaign["utm_source"], "ads");
        assert_eq!(touches.newest().iter().map(|touch| touch.at_ms).collect::<Vec<_>>(), [50, 100, 200]);
    }

    #[test]
    fn the_same_touch_keeps_its_first_time_and_an_empty_one_is_none() {
        let mut touches = Touches::default();
        touches.note(touch("https://a/?fbclid=x", 100));
        touches.note(touch("https://a/other?fbclid=x", 200));
        assert_eq!(touches.newest(), [touch("https://a/?fbclid=x", 100)]);
        assert_eq!(Touch::of_url("https://a/?q=1", 1), None);
    }

    #[test]
    fn the_list_is_bounded_and_the_first_stays() {
        let mut touches = Touches::default();
        for at_ms in 0..100 {
            touches.note(touch(&format!("https://a/?gclid=c{at_ms}"), at_ms));
        }
        assert_eq!((touches.newest().len(), touches.newest()[0].at_ms), (TOUCHES_MAX, 80));
        assert_eq!(touches.first().unwrap().at_ms, 0);
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let stored = r#"{"first":{"at_ms":1,"clicks":{"gclid":"x"}},"newest":[{"at_ms":1,"clicks":{"gclid":"x"}}]}"#;
        let touches: Touches = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&touches).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Touches>("{}").unwrap(), Touches::default());
    }

    fn any_touches() -> impl Strategy<Value = Touches> {
        proptest::collection::vec((0_u8..40, 0_u64..50), 0..40).prop_map(|list| {
            let mut touches = Touches::default();
            for (click, at_ms) in list {
                touches.note(touch(&format!("https://a/?gclid=c{click}"), at_ms));
            }
            touches
        })
    }

    proptest! {
        #[test]
        fn two_profiles_merge_to_the_same_in_either_order(one in any_touches(), other in any_touches()) {
            let (mut left, mut right) = (one.clone(), other.clone());
            left.merge(other);
            right.merge(one);
            prop_assert_eq!(&left, &right);
            let before = left.clone();
            left.merge(before.clone());
            prop_assert_eq!(left, before);
        }
    }
}
