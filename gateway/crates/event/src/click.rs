//! An advertising click that led here, and how two sightings of clicks become one.

use serde::{Deserialize, Serialize};

/// A click ID as the platform issued it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickId {
    /// The parameter's canonical name: `gclid`, `fbclid`, `ttclid`, `msclkid`.
    pub kind: String,
    /// The exact value; its case matters.
    pub value: String,
    /// When it was first seen, in Unix milliseconds.
    pub seen_ms: u64,
}

/// Adds `older` sightings to `clicks`: of one kind the one in `clicks` wins, but the same value keeps its first time.
pub fn clicks_merge(clicks: &mut Vec<ClickId>, older: impl IntoIterator<Item = ClickId>) {
    for old in older {
        match clicks.iter_mut().find(|click| click.kind == old.kind) {
            Some(click) if click.value == old.value => click.seen_ms = click.seen_ms.min(old.seen_ms),
            Some(_) => {}
            None => clicks.push(old),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click(kind: &str, value: &str, seen_ms: u64) -> ClickId {
        ClickId { kind: kind.into(), value: value.into(), seen_ms }
    }

    #[test]
    fn the_same_click_keeps_its_first_time_and_a_different_one_restarts_it() {
        let mut clicks = vec![click("fbclid", "AbC", 200), click("gclid", "new", 200)];
        clicks_merge(&mut clicks, [click("fbclid", "AbC", 100), click("gclid", "old", 100), click("ttclid", "t", 50)]);
        assert_eq!(clicks, [click("fbclid", "AbC", 100), click("gclid", "new", 200), click("ttclid", "t", 50)]);
    }
}
