//! Runs a language's tool, and tells what it said when it failed. Shows nothing itself.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use super::BuildError;
use super::error::io;

/// The most that is told of what a tool said, in lines: its end, where the reason stands.
const LINES_MAX: usize = 60;

/// Runs a tool that has to succeed.
pub(super) fn run(command: &mut Command, what: &str, missing: &'static str) -> Result<Output, BuildError> {
    let done = output(command, missing)?;
    if done.status.success() {
        return Ok(done);
    }
    Err(BuildError::Tool { what: what.to_owned(), output: said(&done), hint: None })
}

/// Runs a tool; `missing` is the hint for one that is not there.
pub(super) fn output(command: &mut Command, missing: &'static str) -> Result<Output, BuildError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => BuildError::NoTool { tool, hint: missing },
        _ => io("run", Path::new(&tool))(error),
    })
}

/// What a tool printed, errors last.
pub(super) fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_not_there_is_named_with_where_it_comes_from() {
        let error = run(&mut Command::new("tidegate-no-such-tool"), "it failed", "install it").unwrap_err();
        assert_eq!(error.to_string(), "`tidegate-no-such-tool` is missing\nhint: install it");
    }

    #[test]
    fn what_a_failing_tool_said_is_told_and_its_end_where_it_said_much() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "seq 100; echo the reason >&2; exit 3"]);
        let message = run(&mut failing, "it failed", "").unwrap_err().to_string();
        assert!(message.starts_with("it failed:\n42\n43\n"), "{message}");
        assert!(message.ends_with("\n100\nthe reason"), "{message}");
    }
}
