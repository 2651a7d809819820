//! `tidegate plugin diff`: the permissions of two plugins side by side, widenings first.

use clap::Args;
use serde::Serialize;
use tidegate_sandbox::Inspection;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, clean, line, plural};
use super::{bytes_of, read};
use crate::permissions::{Change, Effect, Permissions, compare};

/// The version of the JSON form; `docs/schemas/diff.json` describes it.
const FORMAT: &str = "tidegate-plugin-diff/1";

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// A `.wasm` file, or the name of a built-in plugin
    #[arg(value_name = "OLD")]
    old: String,
    /// The one to compare with it
    #[arg(value_name = "NEW")]
    new: String,
    /// Print Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    format: &'static str,
    old: Side,
    new: Side,
    widens: usize,
    changes: Vec<Change>,
}

#[derive(Debug, Serialize)]
struct Side {
    source: String,
    plugin: String,
    version: String,
    digest: String,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let old = read(&arguments.old, &bytes_of(&arguments.old)?)?;
    let new = read(&arguments.new, &bytes_of(&arguments.new)?)?;
    let mut changes = compare(&Permissions::from(&old), &Permissions::from(&new));
    changes.extend(configuration(&old, &new));
    let report = Report {
        format: FORMAT,
        old: Side::new(&arguments.old, &old),
        new: Side::new(&arguments.new, &new),
        widens: changes.iter().filter(|change| change.effect == Effect::Widens).count(),
        changes,
    };
    match arguments.markdown {
        true => out.text(&markdown(&report)),
        false => out.data(&report, render),
    }
    if report.widens == 0 { Ok(()) } else { Err(Failure::said(Exit::No)) }
}

impl Side {
    fn new(source: &str, Inspection { manifest, digest, .. }: &Inspection) -> Side {
        Side {
            source: source.to_owned(),
            plugin: manifest.name.clone(),
            version: manifest.version.to_string(),
            digest: digest.to_string(),
        }
    }
}

/// The configuration is the operator's to write: that a plugin takes other keys allows it nothing.
fn configuration(old: &Inspection, new: &Inspection) -> Option<Change> {
    (old.manifest.config != new.manifest.config).then(|| Change {
        effect: Effect::Changes,
        part: "config",
        subject: String::new(),
        old: None,
        new: None,
        says: "it takes another configuration".to_owned(),
    })
}

fn render(report: &Report, paint: Paint) -> String {
    let Report { old, new, changes, .. } = report;
    let side = |side: &Side| format!("{} {}  {}", side.plugin, clean(&side.version), short(&side.digest));
    let mut lines = vec![format!("{}  →  {}", paint.bold(side(old)), paint.bold(side(new)))];
    lines.extend(self::lines(changes, paint));
    lines.extend(["".to_owned(), summary(report)]);
    lines.join("\n")
}

/// The changes in groups, each with what it was and what it is.
pub(super) fn lines(changes: &[Change], paint: Paint) -> Vec<String> {
    let group = |effect: Effect| {
        let of: Vec<&Change> = changes.iter().filter(|change| change.effect == effect).collect();
        let head = match effect {
            Effect::Widens => paint.red("It may do more"),
            Effect::Changes => paint.bold("It is different"),
            Effect::Narrows => paint.green("It may do less"),
        };
        let head = (!of.is_empty()).then(|| format!("\n{head}"));
        let each = of.into_iter().flat_map(move |change| {
            let title = format!("{} {}", change.part, change.subject);
            let was = change.old.as_ref().map(|old| format!("      - {}", line(old)));
            let is = change.new.as_ref().map(|new| format!("      + {}", line(new)));
            [Some(format!("  {}  {}", line(title.trim_end()), line(&change.says))), was, is].into_iter().flatten()
        });
        head.into_iter().chain(each)
    };
    [Effect::Widens, Effect::Changes, Effect::Narrows].into_iter().flat_map(group).collect()
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn summary(report: &Report) -> String {
    match (report.widens, report.changes.len()) {
        (0, 0) => "the same in every byte and permission".to_owned(),
        (0, _) => "no permission is wider than before".to_owned(),
        (widens, _) => plural(widens, "permission") + if widens == 1 { " is wider" } else { " are wider" },
    }
}

fn markdown(report: &Report) -> String {
    let Report { old, new, changes, widens, .. } = report;
    let mark = if *widens > 0 { "⚠️ " } else { "" };
    let mut text = format!(
        "### {mark}`{}` {} → `{}` {}: {}\n\n`{}` → `{}`\n",
        old.plugin,
        cell(&old.version),
        new.plugin,
        cell(&new.version),
        summary(report),
        old.digest,
        new.digest
    );
    if !changes.is_empty() {
        text.push_str("\n| | what | before | after | |\n|---|---|---|---|---|\n");
    }
    for change in changes {
        let effect = match change.effect {
            Effect::Widens => "**widens**",
            Effect::Changes => "changes",
            Effect::Narrows => "narrows",
        };
        let what = format!("{} {}", change.part, change.subject);
        let value = |value: &Option<String>| value.as_deref().map(cell).unwrap_or_default();
        text.push_str(&format!(
            "| {effect} | {} | {} | {} | {} |\n",
            cell(what.trim_end()),
            value(&change.old),
            value(&change.new),
            cell(&change.says)
        ));
    }
    text
}

/// Text of a plugin in a table of Markdown: nothing in it is markup, a link, a mention or the end of a cell.
fn cell(text: &str) -> String {
    let mut escaped = String::new();
    for c in clean(text).chars() {
        match c {
            '\n' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '!' | '#' | '~' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    // A bare address would become a link.
    escaped.replace("://", "&#58;//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_says_stays_in_its_cell() {
        let text = "a|b @team <img src=x> [x](https://evil.example)\n*c*";
        assert_eq!(cell(text), "a\\|b &#64;team &lt;img src=x&gt; \\[x\\](https&#58;//evil.example) \\*c\\*");
    }
}
