//! Says where two JSON values differ: a line for each place, and the lines around them where there is more to see.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// The most lines that help anyone, of places and of an excerpt.
const LINES_MAX: usize = 60;
/// The longest value that is shown in a line of its own, in characters.
const VALUE_CHARS_MAX: usize = 160;
/// With so many places, the lines around them say more.
const PLACES_PLAIN: usize = 4;
/// The lines of an excerpt before and after what differs.
const AROUND: usize = 3;
/// How long the shortest way from one text to another is looked for.
const SEARCH: Duration = Duration::from_millis(500);

/// Where what came differs from what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// A line for each place: `requests[0].body.value: expected 2.5, got 1.5`.
    pub places: Vec<String>,
    /// An excerpt of both as JSON, where the places alone do not show it; else empty.
    pub excerpt: Vec<Line>,
}

/// A line of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub sign: Sign,
    /// Without the end of the line.
    pub text: String,
}

/// Whose a line of an excerpt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Of both.
    Both,
    /// Only of what was expected.
    Expected,
    /// Only of what came.
    Got,
    /// Lines of both are left out here.
    Gap,
}

impl Sign {
    /// As in a unified diff: `-` is what was expected.
    pub fn mark(self) -> char {
        match self {
            Sign::Both => ' ',
            Sign::Expected => '-',
            Sign::Got => '+',
            Sign::Gap => '@',
        }
    }
}

impl Diff {
    /// Where `actual` differs from `expected`, each an object as fixtures have it; `None` where it does not.
    pub(super) fn of(expected: &Value, actual: &Value) -> Option<Diff> {
        if expected == actual {
            return None;
        }
        if expected.as_object().is_some_and(serde_json::Map::is_empty) {
            return Some(Diff { places: vec!["expects nothing yet".into()], excerpt: excerpt(None, actual) });
        }
        let mut found = Found::default();
        walk("", Some(expected), Some(actual), &mut found);
        let Found { mut places, is_cut } = found;
        let is_plain = places.len() <= PLACES_PLAIN && !is_cut;
        if places.len() > LINES_MAX {
            let more = places.len() - LINES_MAX;
            places.truncate(LINES_MAX);
            places.push(format!("and {more} more differences"));
        }
        let excerpt = if is_plain { Vec::new() } else { excerpt(Some(expected), actual) };
        Some(Diff { places, excerpt })
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.excerpt.iter().map(|line| format!("{} {}", line.sign.mark(), line.text));
        f.write_str(&self.places.iter().cloned().chain(lines).collect::<Vec<_>>().join("\n"))
    }
}

#[derive(Default)]
struct Found {
    places: Vec<String>,
    /// A value was too long to be shown whole.
    is_cut: bool,
}

impl Found {
    fn add(&mut self, path: &str, expected: Option<&Value>, actual: Option<&Value>) {
        let mut shown = |value: Option<&Value>| match value.map(Value::to_string) {
            None => "nothing".to_owned(),
            Some(text) if text.chars().count() <= VALUE_CHARS_MAX => text,
            Some(text) => {
                self.is_cut = true;
                text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
            }
        };
        let line = format!("{path}: expected {}, got {}", shown(expected), shown(actual));
        self.places.push(line);
    }
}

fn walk(path: &str, expected: Option<&Value>, actual: Option<&Value>, found: &mut Found) {
    match (expected, actual) {
        (Some(expected), Some(actual)) if expected == actual => {}
        (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
            for (key, value) in expected {
                walk(&join(path, key), Some(value), actual.get(key), found);
            }
            for (key, value) in actual.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                walk(&join(path, key), None, Some(value), found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
            for index in 0..expected.len().max(actual.len()) {
                walk(&format!("{path}[{index}]"), expected.get(index), actual.get(index), found);
            }
        }
        (None, None) => {}
        (expected, actual) => found.add(path, expected, actual),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Two values as JSON, where they differ.
fn excerpt(expected: Option<&Value>, actual: &Value) -> Vec<Line> {
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    lines_between(&expected.map(text).unwrap_or_default(), &text(actual))
}

/// The lines in which two texts differ, with some around them; none where they are equal.
pub fn lines_between(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::configure().timeout(SEARCH).diff_lines(before, after);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if index > 0 {
            lines.push(Line { sign: Sign::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Both,
                ChangeTag::Delete => Sign::Expected,
                ChangeTag::Insert => Sign::Got,
            };
            lines.push(Line { sign, text: change.value().trim_end_matches('\n').to_owned() });
        }
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(Line { sign: Sign::Gap, text: format!("and {more} more lines") });
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn few_small_differences_are_shown_by_their_places_alone() {
        let diff = Diff::of(&json!({ "a": [1, 2], "b": 1 }), &json!({ "a": [1, 3], "c": true })).unwrap();
        assert_eq!(
            diff.places,
            ["a[1]: expected 2, got 3", "b: expected 1, got nothing", "c: expected nothing, got true"]
        );
        assert_eq!(diff.excerpt, []);
    }

    #[test]
    fn many_differences_are_shown_with_the_lines_around_them() {
        let list = |by: u64| {
            json!({ "list": (0..40).map(|n| if n % 15 == 0 { n + by } else { n }).collect::<Vec<_>>(),
                                     "a": by, "b": by, "c": by })
        };
        let diff = Diff::of(&list(0), &list(100)).unwrap();
        assert_eq!(diff.places.len(), 6);
        let text = diff.to_string();
        for line in ["-     15,", "+     115,", "      14,", "@ "] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} is not in\n{text}");
        }
        assert!(!text.contains("      22,"), "what is far from a difference is left out:\n{text}");
    }

    #[test]
    fn a_whole_object_that_is_missing_is_cut_in_its_line_and_shown_below() {
        let long = json!({ "key": "x".repeat(1_000) });
        let diff = Diff::of(&json!({ "a": long }), &json!({})).unwrap();
        assert!(diff.places[0].chars().count() < 250 && diff.places[0].ends_with("…, got nothing"));
        assert!(diff.excerpt.iter().any(|line| line.sign == Sign::Expected && line.text.contains(&"x".repeat(1_000))));
    }

    #[test]
    fn a_difference_of_any_size_is_shown_within_bounds() {
        let list = |by: u64| json!({ "list": (0..5_000).map(|n| n * by).collect::<Vec<_>>() });
        let diff = Diff::of(&list(1), &list(7)).unwrap();
        assert_eq!((diff.places.len(), diff.excerpt.len()), (LINES_MAX + 1, LINES_MAX + 1));
    }
}
