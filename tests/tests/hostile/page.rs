//! `docs/hostile.md`, made of the catalogue, so that it cannot drift. `TIDEGATE_BLESS=1` writes it.

use std::path::Path;

use super::catalogue::{CHAPTERS, Case, End, all};

fn page() -> String {
    let count = all().count();
    let mut text = format!(
        "# Hostile plugins\n\n\
         What {count} plugins try that mean harm, and how each ends. Made by `TIDEGATE_BLESS=1 cargo test -p tidegate-tests --test\n\
         hostile` of `tests/tests/hostile/catalogue.rs`, which runs every one of them through the whole gateway beside a good\n\
         destination.\n\n\
         **refused**: the gateway does not start with it, and says so. **uncovered**: the lock does not hold it; the same.\n\
         **dead letter**: it runs, costs its own destination this one event, and every other destination gets the event.\n\
         **nothing**: it runs, and its request is a good plugin's.\n"
    );
    for (title, rule, cases) in CHAPTERS {
        text.push_str(&format!("\n## {title}\n\n{rule}\n\n| plugin | what it tries | how it ends |\n|---|---|---|\n"));
        text.extend(cases.iter().map(row));
    }
    text
}

fn row(case: &Case) -> String {
    let (end, reason) = match case.end {
        End::Refused(reason) => ("refused", reason),
        End::Uncovered(reason) => ("uncovered", reason),
        End::Dead(reason) => ("dead letter", reason),
        End::Nothing => ("nothing", ""),
    };
    let reason = reason.trim_end_matches([':', ' ']).replace('|', "\\|");
    let said = if reason.is_empty() { String::new() } else { format!(": *{reason}*") };
    format!("| `{}` | {} | {end}{said} |\n", case.name, case.tries)
}

/// What follows the catalogue is written by hand.
const BY_HAND: &str = "\n## The neighbours";

#[test]
fn the_page_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hostile.md");
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let (made, rest) = found.find(BY_HAND).map_or((found.as_str(), ""), |at| found.split_at(at));
    if std::env::var_os("TIDEGATE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, page() + rest).unwrap();
        return;
    }
    let hint = "hint: TIDEGATE_BLESS=1 cargo test -p tidegate-tests --test hostile writes it";
    assert!(made == page(), "docs/hostile.md is not what the catalogue says\n{hint}");
}
