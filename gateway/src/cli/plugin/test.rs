//! `tidegate plugin test`: a plugin's fixtures in the sandbox, with what each used.

use clap::Args;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, bytes, clean, plural};
use super::subject::{Subject, metered};
use crate::kit::test::{Blessing, Fixture, Report, Test, Used};
use tidegate_plugin_sdk::testing::{Diff, Line, Sign};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// A plugin's folder, a `.wasm` file, or the name of a built-in plugin
    #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
    plugin: String,
    /// Let fixtures that fail expect what came: writes it into their files, for you to review
    #[arg(long)]
    bless: bool,
    /// Only fixtures of this name; `*` stands for anything: `purchase*`
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let subject = Subject::of(&arguments.plugin, out)?;
    if arguments.bless && subject.folder.is_none() {
        let failure = Failure::new(Exit::Usage, format!("the fixtures of `{}` are inside of it", subject.name));
        return Err(failure.hint("`--bless` is for a plugin's folder, whose files can be written"));
    }
    let plugin = subject.load(&metered()?)?;
    let suite = subject.suite(&plugin)?;
    let blessing = if arguments.bless { Blessing::Given } else { Blessing::Withheld };
    let wanted = |file: &str| arguments.only.as_ref().is_none_or(|glob| matches(glob, file));
    if !suite.names().any(wanted) {
        let glob = arguments.only.as_deref().unwrap_or_default();
        return Err(Failure::new(Exit::NotFound, format!("no fixture is called `{glob}`")));
    }
    let report = Test { plugin: &plugin, suite: &suite, blessing }.run(wanted);
    out.data(&report, render);
    if report.fixtures.iter().any(|fixture| fixture.blessed) {
        subject.carry_fixtures(out)?;
    }
    if report.failed == 0 { Ok(()) } else { Err(Failure::said(Exit::No)) }
}

/// Whether a file is called so, with or without its `.json`. `*` stands for any characters.
pub(super) fn matches(glob: &str, file: &str) -> bool {
    let stem = file.strip_suffix(".json").unwrap_or(file);
    [file, stem].into_iter().any(|name| fits(glob, name))
}

fn fits(glob: &str, name: &str) -> bool {
    let Some((before, after)) = glob.split_once('*') else { return glob == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    match after.rsplit_once('*') {
        None => rest.ends_with(after),
        Some(_) => (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(after, rest))),
    }
}

fn render(report: &Report, paint: Paint) -> String {
    let Report { plugin, version, highest, limits, .. } = report;
    let mut lines = vec![format!("{} {}", paint.bold(plugin), clean(version)), String::new()];
    lines.extend(report.fixtures.iter().flat_map(|one| fixture(one, paint)));
    lines.push(String::new());
    let counts =
        format!("{}: {} ok, {} failed", plural(report.fixtures.len(), "fixture"), report.passed, report.failed);
    lines.push(if report.failed == 0 { paint.green(counts) } else { paint.red(counts) });
    lines.push(format!(
        "the most of one call: {} fuel, {} of {} memory, {} of {}",
        highest.fuel,
        bytes(highest.memory_bytes),
        bytes(limits.memory_bytes),
        time(highest.time_us),
        time(limits.time_us)
    ));
    lines.extend(report.warnings.iter().map(|warning| format!("{} {}", paint.yellow("warning:"), clean(warning))));
    lines.extend(report.unused_grants.iter().map(|grant| {
        let says = clean(&format!("`{grant}` is granted, and no fixture gives anything else without it"));
        format!("{} {says}", paint.yellow("warning:"))
    }));
    let blessed = report.fixtures.iter().filter(|it| it.blessed);
    lines.extend(blessed.map(|it| format!("{} fixtures/{}: review the change", paint.cyan("wrote:"), clean(&it.file))));
    if report.fixtures.iter().any(|it| it.diff.is_some()) {
        lines.push(format!("{} `--bless` writes what came into the fixtures, for you to review", paint.cyan("hint:")));
    }
    lines.join("\n")
}

fn fixture(fixture: &Fixture, paint: Paint) -> Vec<String> {
    let verdict = if fixture.ok { paint.green("ok    ") } else { paint.red("FAILED") };
    let used = fixture.used.map(|used| paint.dim(self::used(used))).unwrap_or_default();
    let mut lines = vec![format!("  {verdict}  {:32}  {used}", clean(&fixture.file)).trim_end().to_owned()];
    let problems = fixture.problems.iter().flat_map(|problem| problem.lines());
    lines.extend(problems.map(|line| format!("            {}", clean(line))));
    lines.extend(
        fixture.diff.iter().flat_map(|diff| differences(diff, paint)).map(|line| format!("            {line}")),
    );
    lines
}

fn differences(diff: &Diff, paint: Paint) -> Vec<String> {
    diff.places.iter().map(|place| clean(place)).chain(painted(&diff.excerpt, paint)).collect()
}

/// Lines that differ, as people know them.
pub(super) fn painted(lines: &[Line], paint: Paint) -> Vec<String> {
    let one = |line: &Line| {
        let text = format!("{} {}", line.sign.mark(), line.text);
        match line.sign {
            Sign::Both => clean(&text),
            Sign::Expected => paint.red(text),
            Sign::Got => paint.green(text),
            Sign::Gap => paint.cyan(text),
        }
    };
    lines.iter().map(one).collect()
}

fn used(used: Used) -> String {
    format!("{:>9} fuel  {:>8}  {:>8}", used.fuel, bytes(used.memory_bytes), time(used.time_us))
}

/// A time in the unit that shows it best.
pub(super) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{us} µs"),
        _ => format!("{} ms", us / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, file) in
            [("purchase", "purchase.json"), ("*", "a.json"), ("p*e", "purchase.json"), ("*ch*se.json", "purchase.json")]
        {
            assert!(matches(glob, file), "{glob} {file}");
        }
        for (glob, file) in
            [("purchas", "purchase.json"), ("p*x", "purchase.json"), ("*a*a*a*", "aa.json"), ("é*", "e.json")]
        {
            assert!(!matches(glob, file), "{glob} {file}");
        }
    }
}
