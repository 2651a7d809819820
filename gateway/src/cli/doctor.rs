//! `tidegate doctor`: looks at a site from outside, as its visitors' browsers do, and says what to change.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use tidegate_doctor::{Cookie, CookieLife, Finding, Options, Report, SetBy, Severity, examine};
use tidegate_event::Level;
use tidegate_identity::platform::{COOKIES, Readers};
use tidegate_identity::set_cookie::AGE_MAX_S;

use super::failure::{Exit, Failure};
use super::output::{Output, Paint, clean, plural, table};
use super::{ConfigFile, Variables};
use crate::config::{Config, Site};

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
    let missing = |what: &str, key: &str, flag: &str| {
        let failure = Failure::new(Exit::Usage, format!("there is no {what} to look at"));
        failure.hint(format!("add it to `{key}` of site `{}`, or name it: `{flag}`", site.name))
    };
    let page = arguments.page.as_ref().or(site.origins.first());
    let page = page.ok_or_else(|| missing("page", "origins", "--page https://www.shop.example/"))?;
    let tracking = arguments.tracking.as_ref().or(site.hosts.first());
    let tracking = tracking.ok_or_else(|| missing("gateway", "hosts", "--tracking track.shop.example"))?;
    let mut subject = tidegate_doctor::Site::new(page, tracking)
        .map_err(|error| Failure::of(Exit::Usage, "look at the site", &error))?;
    subject.snippet = site.snippet.trim_start_matches('/').to_owned();
    subject.key = site.write_keys.first().cloned();
    subject.origins = site.origins.clone();
    subject.consent_default = Some(site.consent.default);
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
    [own].into_iter().chain(platforms).collect()
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
    let rows: Vec<[String; 4]> = report.lives.iter().map(life).collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(table(paint, ["cookie", "browser", "lives", "because"], &rows));
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
    let mut lines = vec![format!("{label}{subject}  {}", clean(&finding.what))];
    if finding.severity > Severity::Ok {
        lines.push(format!("  why     {}", clean(&finding.why)));
    }
    lines.extend(
        finding.change.iter().map(|change| format!("  change  {}", clean(change).replace('\n', "\n          "))),
    );
    lines
}

fn life(one: &CookieLife) -> [String; 4] {
    let (worst, best) = (&one.life.worst, &one.life.best);
    let lives = if worst == best { worst.to_string() } else { format!("{worst} to {best}") };
    [one.cookie.name.clone(), one.browser.to_owned(), lives, worst.why.to_string()]
}
