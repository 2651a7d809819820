//! `tidegate doctor`: looks at a site from outside, as its visitors' browsers do, and says what to change.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use tidegate_doctor::{
    BROWSERS, Code, Cookie, CookieLife, Finding, Life, Options, Report, SetBy, Severity, Why, examine,
};
use tidegate_event::Level;
use tidegate_identity::platform::{COOKIES, Readers};
use tidegate_identity::set_cookie::AGE_MAX_S;

use super::failure::{Exit, Failure};
use super::output::{Output, Paint, clean, plural, table};
use super::{ConfigFile, Variables};
use crate::config::{Config, Site};

/// Of a text beside its label.
const WIDTH: usize = 90;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The site's name in the configuration; not needed where there is one
    site: Option<String>,
    /// The page to look at, if not the first of the site's `origins`
    #[arg(long, value_name = "URL")]
    page: Option<String>,
    /// Where the gateway is reached, if not at the first of the site's `hosts`: a host, or an address with a path
    #[arg(long, value_name = "HOST")]
    tracking: Option<String>,
    /// A name server to ask instead of the system's
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
    /// A certificate authority to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where to connect instead of a host and port, as curl's `--connect-to`
    #[arg(long, value_name = "HOST:PORT=ADDRESS:PORT", value_parser = connect)]
    connect: Vec<((String, u16), SocketAddr)>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let site = super::site(&config, arguments.site.as_deref())?;
    let subject = subject(arguments, &config, site)?;
    // Certificates and dates are judged by the real time.
    #[expect(clippy::disallowed_methods, reason = "what is looked at lives by the real time")]
    let mut options = Options::new(SystemTime::now());
    options.resolver = arguments.resolver;
    options.connect = arguments.connect.iter().cloned().collect();
    if let Some(file) = &arguments.ca {
        let name = file.display();
        let pem =
            std::fs::read(file).map_err(|error| Failure::of(Exit::NotFound, &format!("read `{name}`"), &error))?;
        options.trust(&pem).map_err(|error| Failure::of(Exit::Data, &format!("read `{name}`"), &error))?;
    }
    let report = examine(&subject, &options).await;
    out.data(&report, render);
    match report.verdict {
        Severity::Error => Err(Failure::said(Exit::No)),
        Severity::Ok | Severity::Notice | Severity::Warning => Ok(()),
    }
}

fn subject(arguments: &Arguments, config: &Config, site: &Site) -> Result<tidegate_doctor::Site, Failure> {
    let page = arguments.page.as_ref().or(site.origins.first()).ok_or_else(|| {
        let hint =
            format!("add it to `origins` of site `{}`, or name it: `--page https://www.shop.example/`", site.name);
        Failure::new(Exit::Usage, "there is no page to look at").hint(hint)
    })?;
    let tracking = match &arguments.tracking {
        Some(tracking) => tracking.clone(),
        None => super::snippet::place(config, site)?,
    };
    let mut subject = tidegate_doctor::Site::new(page, &tracking)
        .map_err(|error| Failure::of(Exit::Usage, "look at the site", &error))?;
    subject.snippet = site.snippet.trim_start_matches('/').to_owned();
    subject.key = super::write_key(site).map(str::to_owned);
    subject.origins = site.origins.clone();
    subject.cookies = if site.cookieless { Vec::new() } else { cookies(&config.visitor.cookie) };
    Ok(subject)
}

/// What the gateway writes.
fn cookies(visitor: &str) -> Vec<Cookie> {
    let own = Cookie {
        name: format!("__Secure-{visitor}"),
        max_age_s: AGE_MAX_S.into(),
        http_only: true,
        set_by: SetBy::Server,
        level: Level::Analytics,
    };
    let platforms = COOKIES.iter().map(|cookie| Cookie {
        name: cookie.name.to_owned(),
        max_age_s: cookie.life_s().into(),
        http_only: cookie.readers == Readers::Servers,
        set_by: SetBy::Server,
        level: cookie.level,
    });
    let consent = Cookie {
        name: tidegate_consent::cookie::NAME.to_owned(),
        max_age_s: tidegate_consent::cookie::LIFE_S.into(),
        http_only: false,
        set_by: SetBy::Server,
        level: Level::None,
    };
    [own, consent].into_iter().chain(platforms).collect()
}

/// `track.shop.example:443=127.0.0.1:8443`
fn connect(text: &str) -> Result<((String, u16), SocketAddr), String> {
    let parsed = || {
        let (from, to) = text.split_once('=')?;
        let (host, port) = from.rsplit_once(':')?;
        Some(((host.to_lowercase(), port.parse().ok()?), to.parse().ok()?))
    };
    parsed().ok_or_else(|| "expected HOST:PORT=ADDRESS:PORT, such as track.shop.example:443=127.0.0.1:8443".to_owned())
}

fn render(report: &Report, paint: Paint) -> String {
    let mut lines: Vec<String> = report.findings.iter().flat_map(|one| finding(one, paint)).collect();
    if !report.lives.is_empty() {
        lines.push(format!("\n{}", lives(&report.lives, paint)));
    }
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Notice, "notice")];
    let counts: Vec<String> = counts.into_iter().map(|(kind, name)| plural(report.count(kind), name)).collect();
    lines.push(format!("\n{} at {}: {}", clean(&report.page), clean(&report.tracking), counts.join(", ")));
    lines.join("\n")
}

fn finding(finding: &Finding, paint: Paint) -> Vec<String> {
    let label = match finding.severity {
        Severity::Error => paint.red("error"),
        Severity::Warning => paint.yellow("warning"),
        Severity::Notice => paint.cyan("notice"),
        Severity::Ok => paint.green("ok"),
    };
    // Most sentences name their subject themselves.
    let subject = match finding.what.contains(&finding.subject) {
        true => String::new(),
        false => format!("  {}", paint.bold(clean(&finding.subject))),
    };
    let said = format!("{label}{subject}  {}", clean(&finding.what));
    if finding.severity == Severity::Ok {
        return vec![said];
    }
    let code = paint.dim(format!("({})", finding.code));
    // There may be many of these, and all that there is to do about them is to mend the others.
    if finding.code == Code::Unchecked {
        return vec![format!("{said}: {}  {code}", clean(&finding.why))];
    }
    let mut lines = vec![format!("{said}  {code}")];
    if !repeats(&finding.why, &finding.what) {
        lines.extend(labelled("why", &finding.why));
    }
    lines.extend(finding.change.iter().flat_map(|change| labelled("change", change)));
    lines
}

/// A label, and beside it a text in lines of a width that people can read.
fn labelled(label: &str, text: &str) -> Vec<String> {
    let lines = clean(text).lines().flat_map(wrapped).collect::<Vec<_>>();
    let labels = [label].into_iter().chain(std::iter::repeat(""));
    labels.zip(lines).map(|(label, line)| format!("  {label:<6}  {line}")).collect()
}

/// Breaks a line at spaces, but not within backquotes: what stands in them is to be copied.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut is_quoted = false;
    for word in line.split(' ') {
        let last = lines.len() - 1;
        let fits = lines[last].chars().count() + word.chars().count() < WIDTH;
        if lines[last].is_empty() {
            lines[last].push_str(word);
        } else if fits || is_quoted {
            lines[last].push(' ');
            lines[last].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        is_quoted ^= word.matches('`').count() % 2 == 1;
    }
    lines
}

/// Whether a reason is what was said already.
fn repeats(why: &str, what: &str) -> bool {
    what.to_lowercase().contains(why.to_lowercase().trim_end_matches('.'))
}

/// A row a cookie, and a column a browser; below, why a browser keeps any for less than they ask.
fn lives(all: &[CookieLife], paint: Paint) -> String {
    const COLUMNS: usize = BROWSERS.len() + 1;
    let mut cookies: Vec<&str> = all.iter().map(|one| one.cookie.name.as_str()).collect();
    cookies.dedup();
    let cell = |cookie: &str, browser: &str| {
        let one = all.iter().find(|one| one.cookie.name == cookie && one.browser == browser);
        one.map_or_else(String::new, |one| span(&one.life))
    };
    let head: [&str; COLUMNS] = std::array::from_fn(|at| if at == 0 { "cookie" } else { BROWSERS[at - 1].name });
    let rows: Vec<[String; COLUMNS]> = cookies
        .into_iter()
        .map(|name| std::array::from_fn(|at| if at == 0 { name.to_owned() } else { cell(name, BROWSERS[at - 1].name) }))
        .collect();
    let mut text = table(paint, head, &rows);
    let mut reasons: Vec<String> = Vec::new();
    for one in all.iter().filter(|one| one.life.worst.why != Why::Asked) {
        let reason = format!("{}: {}", one.browser, one.life.worst.why);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    for reason in reasons {
        text.push_str(&format!("{}\n", clean(&reason)));
    }
    text.trim_end().to_owned()
}

/// `400 days`, `7 to 400 days`
fn span(life: &Life) -> String {
    let (worst, best) = (life.worst.to_string(), life.best.to_string());
    match (worst.split_once(' '), best.split_once(' ')) {
        _ if worst == best => worst,
        (Some((least, unit)), Some((_, same))) if unit == same => format!("{least} to {best}"),
        _ => format!("{worst} to {best}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_between_words_and_never_within_what_is_to_be_copied() {
        let tag = format!("`<script async src=\"{}\"></script>`", "x".repeat(WIDTH));
        let lines = labelled("change", &format!("{} {tag}.\nNext.", "word ".repeat(30).trim_end()));
        assert!(lines[0].starts_with("  change  word word") && lines[0].len() <= WIDTH + 10, "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains(&tag)), "{lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some("          Next."));
        assert_eq!(labelled("why", "Short."), ["  why     Short."]);
    }
}
