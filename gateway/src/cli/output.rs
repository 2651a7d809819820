//! All that the commands print: data to stdout, everything else to stderr, colour only for a terminal that wants it.
//!
//! Owns the look. What comes from outside, such as a platform's answer, cannot steer the terminal: its control
//! characters are shown, not sent.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead as _, IsTerminal, Write as _};

use serde::Serialize;

use super::failure::{Failure, Reason};
use crate::config::{Mistake, Mistakes, Severity};

/// For whom stdout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Human,
    Json,
}

/// Whether a stream shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Colour,
    Plain,
}

/// The two streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) format: Format,
    /// How stdout is painted.
    pub(super) paint: Paint,
    /// How stderr is.
    pub(super) paint_errors: Paint,
}

impl Output {
    /// The process's own streams.
    pub(super) fn new(format: Format) -> Output {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let paint = |terminal| if wanted && terminal { Paint::Colour } else { Paint::Plain };
        Output { format, paint: paint(io::stdout().is_terminal()), paint_errors: paint(io::stderr().is_terminal()) }
    }

    /// Prints the data: as JSON, or as `render` lays it out for people.
    pub(super) fn data<T: Serialize>(&self, data: &T, render: impl FnOnce(&T, Paint) -> String) {
        match self.format {
            Format::Human => self.text(&render(data, self.paint)),
            // A type of ours whose keys are all text cannot fail to become JSON.
            Format::Json => self.text(&serde_json::to_string_pretty(data).unwrap_or_default()),
        }
    }

    /// Prints to stdout.
    pub(super) fn text(&self, text: &str) {
        // A reader that has gone (`| head`) wants nothing more; that is no failure.
        let _ = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    }

    /// Tells a person something that is not the data.
    pub(super) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells what is wrong in a configuration.
    pub(super) fn mistakes(&self, mistakes: &Mistakes) {
        let all: Vec<String> = mistakes.iter().map(|mistake| self.mistake(mistake, &mistakes.file)).collect();
        self.note(&all.join("\n\n"));
    }

    /// Tells why a command failed.
    pub(super) fn failure(&self, failure: &Failure) {
        let paint = self.paint_errors;
        match &failure.reason {
            Reason::Said => {}
            Reason::Mistakes(mistakes) => self.mistakes(mistakes),
            Reason::Sentence { what, hint } => {
                self.note(&format!("{} {}", paint.red("error:"), clean(what)));
                if let Some(hint) = hint {
                    self.note(&format!("{} {}", paint.cyan("hint:"), clean(hint)));
                }
            }
        }
    }

    /// Asks a person at a terminal; `None` where there is none.
    pub(super) fn ask(&self, question: &str) -> Option<String> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let _ = write!(io::stderr().lock(), "{question} ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_lowercase())
    }

    fn mistake(&self, mistake: &Mistake, file: &str) -> String {
        let paint = self.paint_errors;
        let text = clean(&mistake.in_file(file).to_string());
        let (label, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let label = match mistake.severity {
            Severity::Error => paint.red(label),
            Severity::Warning => paint.yellow(label),
        };
        let rest = rest.replacen("\nhint:", &format!("\n{}", paint.cyan("hint:")), 1);
        format!("{label} {rest}")
    }
}

impl Paint {
    pub(super) fn bold(self, text: impl fmt::Display) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(self, text: impl fmt::Display) -> String {
        self.with("2", text)
    }

    pub(super) fn red(self, text: impl fmt::Display) -> String {
        self.with("31", text)
    }

    pub(super) fn green(self, text: impl fmt::Display) -> String {
        self.with("32", text)
    }

    pub(super) fn yellow(self, text: impl fmt::Display) -> String {
        self.with("33", text)
    }

    pub(super) fn cyan(self, text: impl fmt::Display) -> String {
        self.with("36", text)
    }

    /// An outcome in the colour that it has everywhere.
    pub(super) fn outcome(self, outcome: &str) -> String {
        match outcome {
            "delivered" => self.green(outcome),
            "dead" | "refused" => self.red(outcome),
            "waiting" => self.yellow(outcome),
            _ => self.dim(outcome),
        }
    }

    fn with(self, code: &str, text: impl fmt::Display) -> String {
        let text = clean(&text.to_string());
        match self {
            Paint::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Paint::Plain => text,
        }
    }
}

/// Text from outside, fit for a terminal: control characters are written out, but for the end of a line.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        let turns_text = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c != '\n' && (c.is_control() || turns_text) {
            let _ = write!(cleaned, "{}", c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

/// The same on one line: nothing from outside begins a line, which would look like one of ours.
pub(super) fn line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// Columns as wide as they need to be; the last may be of any length.
pub(super) fn table<const N: usize>(paint: Paint, head: [&str; N], rows: &[[String; N]]) -> String {
    let cleaned: Vec<[String; N]> = rows.iter().map(|row| row.clone().map(|cell| line(&cell))).collect();
    let width = |column: usize| {
        let cells = cleaned.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let padded = |cells: [&str; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = format!("{}\n", paint.dim(padded(head)));
    for row in &cleaned {
        text.push_str(&padded(row.each_ref().map(String::as_str)));
        text.push('\n');
    }
    text
}

/// A time in Unix milliseconds as RFC 3339, in UTC.
pub(super) fn time(ms: u64) -> String {
    let stamp = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| format!("{ms} ms"), |stamp| format!("{stamp:.3}"))
}

/// `1 site`, `2 sites`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A number of bytes in the largest unit that it fills.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} KiB", count / 1_024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_cannot_steer_the_terminal() {
        assert_eq!(clean("ok\u{1b}[2Jgone\r\n"), "ok\\u{1b}[2Jgone\\u{d}\n");
        assert_eq!(Paint::Plain.red("a\u{7}b"), "a\\u{7}b");
        assert_eq!(clean("\u{202e}a\u{2066}b\u{2069}"), "\\u{202e}a\\u{2066}b\\u{2069}");
        assert_eq!(line("a\nFindings\n  none"), "a Findings   none");
    }

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [["a".to_owned(), "long one".to_owned()], ["bcd".to_owned(), "two\nlines".to_owned()]];
        assert_eq!(table(Paint::Plain, ["ID", "REASON"], &rows), "ID   REASON\na    long one\nbcd  two lines\n");
    }

    #[test]
    fn times_are_written_for_people_and_machines() {
        assert_eq!(time(1_768_487_520_123), "2026-01-15T14:32:00.123Z");
    }
}
