//! Parses a manifest and finds everything that is wrong with it, all at once.

use std::collections::BTreeMap;
use std::fmt;

use super::{Auth, Endpoint, Form, Manifest, Method, Normalizer, Quality, Read, WORLD, WORLDS, template};

/// One thing that is wrong in a `plugin.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// Line in the file, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// The longest manifest: it may come from a stranger.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// Every field that a manifest may name in `[reads]`, but for those with a free last part (`click.…`).
const FIELDS: &[&str] = &[
    "client.ip",
    "client.locale",
    "client.region",
    "client.user_agent",
    "event.currency",
    "event.items",
    "event.order_id",
    "event.value",
    "page.referrer",
    "page.title",
    "page.url",
    "session",
    "user.anonymous_id",
    "user.id",
];
/// Their last part is a name, the beginning of names (`cookie._ga_*`), or `*` for all of them. A person's identifiers
/// are granted one by one or all together: each wants normalising of its own.
const FAMILIES: &[&str] = &["click.", "cookie.", "properties.", "user."];

/// Where a person finds what a key takes.
const SCHEMA_HINT: &str = "`tidegate plugin schema` prints what each key takes, for people and editors";

const EMAIL_NORMALIZERS: &[Normalizer] =
    &[Normalizer::EmailNoTag, Normalizer::EmailNoDots, Normalizer::EmailNoDotsGmail, Normalizer::EmailAlphanumeric];

pub(super) fn parse(text: &str) -> Result<Manifest, Vec<Mistake>> {
    if text.len() > TEXT_BYTES_MAX {
        let what = format!("the manifest is longer than {} KiB", TEXT_BYTES_MAX >> 10);
        let hint = "it is for people to read: leave out what it does not need".to_owned();
        return Err(vec![Mistake { line: None, what, hint: Some(hint) }]);
    }
    let manifest: Manifest = toml::from_str(text).map_err(|error| vec![unread(&error, text)])?;
    let mut mistakes = Mistakes { text, list: Vec::new() };
    check_identity(&manifest, &mut mistakes);
    for (name, endpoint) in &manifest.endpoints {
        check_endpoint(name, endpoint, &manifest, &mut mistakes);
    }
    if let Some(auth) = &manifest.auth {
        check_auth(auth, &mut mistakes);
    }
    for (field, read) in &manifest.reads {
        check_read(field, read, &mut mistakes);
    }
    for quality in &manifest.quality {
        check_quality(quality, &manifest.reads, &mut mistakes);
    }
    check_bounds(&manifest, &mut mistakes);
    if mistakes.list.is_empty() { Ok(manifest) } else { Err(mistakes.list) }
}

/// What is no TOML, or not of a manifest's shape. The reader stops at the first of those.
fn unread(error: &toml::de::Error, text: &str) -> Mistake {
    let before = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let line = error.span().map(|span| before(span.start) + 1);
    let said = error.message().trim();
    let (what, hint) = match said.split_once(", expected ") {
        Some((what, expected)) => (what, format!("expected {expected}")),
        None => (said, SCHEMA_HINT.to_owned()),
    };
    let hint = match said.strip_prefix("missing field ") {
        Some(field) => format!("add {field}; {SCHEMA_HINT}"),
        None => hint,
    };
    Mistake { line, what: what.to_owned(), hint: Some(hint) }
}

struct Mistakes<'a> {
    text: &'a str,
    list: Vec<Mistake>,
}

impl Mistakes<'_> {
    /// Adds a mistake at the line that begins with `at`, or else the first that contains it.
    fn add(&mut self, at: &str, what: String, hint: &str) {
        let begins = |line: &str| line.trim_start_matches(['[', '"', ' ', '\t']).starts_with(at);
        let line = self.text.lines().position(begins);
        let line = line.or_else(|| self.text.lines().position(|line| line.contains(at)));
        self.list.push(Mistake { line: line.map(|index| index + 1), what, hint: Some(hint.to_owned()) });
    }

    /// Refuses text that nobody could read: empty, too long, or with what a terminal would obey.
    fn readable(&mut self, at: &str, what: &str, text: &str) {
        if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
            self.add(at, format!("{what} must be 1 to 200 characters on one line"), "write it for people");
        }
    }
}

fn check_identity(manifest: &Manifest, mistakes: &mut Mistakes<'_>) {
    let name = &manifest.name;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        mistakes.add(
            "name",
            format!("`{}` is no plugin name", name.escape_debug()),
            "lower-case letters, digits and hyphens, at most 64",
        );
    }
    if !WORLDS.contains(&manifest.world.as_str()) {
        let what = format!("`{}` is a contract that is not known here", manifest.world.escape_debug());
        mistakes.add("world", what, &format!("build the plugin for `{WORLD}`"));
    }
    mistakes.readable("summary", "`summary`", &manifest.summary);
    if let Some(view) = &manifest.test_view {
        mistakes.readable("test_view", "`test_view`", view);
    }
    if manifest.purposes.is_empty() {
        mistakes.add(
            "purposes",
            "`purposes` is empty".into(),
            "name the consent that an event needs: `analytics`, `ad-storage`, `ad-user-data`, `ad-personalization`",
        );
    }
    if manifest.endpoints.is_empty() {
        mistakes.add("endpoints", "no endpoint is declared".into(), "add `[endpoints.events]` with a `url`");
    }
}

fn check_endpoint(name: &str, endpoint: &Endpoint, manifest: &Manifest, mistakes: &mut Mistakes<'_>) {
    if !is_key(name) {
        // A name that TOML takes without quotes stands behind its table's; any other stands in them.
        let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let at = if is_bare { format!("endpoints.{name}") } else { format!("\"{name}\"") };
        let what = format!("`{}` is no name of an endpoint", name.escape_debug());
        mistakes.add(&at, what, "lower-case letters, digits, `-` and `_`");
    }
    if let Some((what, hint)) = template::problem(endpoint) {
        mistakes.add(&endpoint.url, format!("endpoint `{name}` {what}"), hint);
        return;
    }
    for parameter in endpoint.parameters().host {
        if !manifest.always_gives(parameter) {
            mistakes.add(
                &endpoint.url,
                format!(
                    "endpoint `{name}` takes its host from `{{{parameter}}}`, which the configuration need not give"
                ),
                &format!("declare `{parameter}` in `[config]`, as required or with a default"),
            );
        }
    }
}

fn check_auth(auth: &Auth, mistakes: &mut Mistakes<'_>) {
    for secret in auth.secrets().into_iter().chain(auth.optional_secrets()).filter(|secret| !is_key(secret)) {
        let what = format!("`{}` is no name of a secret", secret.escape_debug());
        mistakes.add("secret", what, "lower-case letters, digits, `-` and `_`");
    }
    let token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let header_hint = "letters, digits, `-`, `_` and `.`, and none that frames the request, such as `Host`";
    match auth {
        Auth::Header { header, .. } if !token(header) || is_reserved(header) => {
            mistakes.add("header", format!("`{}` is no header for a secret", header.escape_debug()), header_hint);
        }
        Auth::Query { parameter, .. } if !token(parameter) => {
            let what = format!("`{}` is no parameter of a query", parameter.escape_debug());
            mistakes.add("parameter", what, "letters, digits, `-`, `_` and `.`");
        }
        Auth::JsonField { pointer, .. } if !pointer.starts_with('/') => {
            mistakes.add(
                "pointer",
                format!("`{}` is no JSON pointer", pointer.escape_debug()),
                "it begins with `/`: `/api_key`",
            );
        }
        Auth::Oauth2Refresh { token_url, headers, .. } | Auth::Oauth2ServiceAccount { token_url, headers, .. } => {
            let endpoint = Endpoint { url: token_url.clone(), method: Method::Post };
            if endpoint.is_whole_url()
                || !endpoint.parameters().host.is_empty()
                || !endpoint.parameters().path.is_empty()
            {
                mistakes.add(
                    "token_url",
                    "`token_url` has a parameter".into(),
                    "secrets go there: it is always the same",
                );
            } else if let Some((what, hint)) = template::problem(&endpoint) {
                mistakes.add("token_url", format!("`token_url` {what}"), hint);
            }
            for header in headers.keys().filter(|header| !token(header) || is_reserved(header)) {
                mistakes.add(header, format!("`{}` is no header for a secret", header.escape_debug()), header_hint);
            }
        }
        _ => {}
    }
}

fn check_quality(quality: &Quality, reads: &BTreeMap<String, Read>, mistakes: &mut Mistakes<'_>) {
    mistakes.readable("quality", "`name` of `[[quality]]`", &quality.name);
    let name = quality.name.escape_debug();
    if quality.any.is_empty() || !(1..=100).contains(&quality.worth) {
        let what = format!("quality `{name}` names no field, or is not worth 1 to 100");
        mistakes.add("quality", what, "`any = [\"user.email\"]`, `worth = 30`");
    }
    let granted = |field: &str| {
        reads.keys().any(|read| read == field || read.strip_suffix('*').is_some_and(|start| field.starts_with(start)))
    };
    for field in quality.any.iter().filter(|field| !granted(field)) {
        let what = format!("quality `{name}` relies on `{}`, which `[reads]` does not grant", field.escape_debug());
        mistakes.add(field, what, "grant it in `[reads]`, or leave it out here");
    }
}

fn check_read(field: &str, read: &Read, mistakes: &mut Mistakes<'_>) {
    let name = FAMILIES.iter().find_map(|family| field.strip_prefix(family)).unwrap_or_default();
    let fits = match name.find('*') {
        None => !name.is_empty(),
        Some(0) => name.len() == 1,
        Some(at) => at == name.len() - 1 && !field.starts_with("user."),
    };
    if (!FIELDS.contains(&field) && !fits) || field.chars().any(char::is_control) {
        let hint = "`user.…`, `click.…`, `cookie.…`, `properties.…`, `page.url`, `client.ip`, `event.value` and so on";
        mistakes.add(field, format!("`{}` is no field of an event", field.escape_debug()), hint);
    }
    mistakes.readable(field, &format!("`why` of `{}`", field.escape_debug()), &read.why);
    if !field.starts_with("user.") {
        if read.form == Form::Sha256 {
            mistakes.add(field, format!("`{field}` cannot be hashed"), "`as = \"sha256\"` is for `user.…` only");
        }
        if !read.normalize.is_empty() {
            mistakes.add(field, format!("`{field}` cannot be normalised"), "`normalize` is for `user.…` only");
        }
    } else if field != "user.email" && read.normalize.iter().any(|step| EMAIL_NORMALIZERS.contains(step)) {
        mistakes.add(field, format!("`{field}` is normalised as an e-mail address"), "only `user.email` is one");
    }
}

fn check_bounds(manifest: &Manifest, mistakes: &mut Mistakes<'_>) {
    let limits = &manifest.limits;
    let mut within = |name: &str, value: u64, least: u64, most: u64| {
        if value < least || value > most {
            mistakes.add(name, format!("`{name}` is {value}"), &format!("from {least} to {most}"));
        }
    };
    within("time_max_ms", u64::from(limits.time_max_ms), 1, 1_000);
    within("memory_max", limits.memory_max.0, 128 << 10, 64 << 20);
    within("output_max", limits.output_max.0, 1 << 10, 16 << 20);
    within("age_max", limits.age_max.as_ms(), 1_000, 400 * 86_400_000);
    within("events_max", u64::from(manifest.batch.events_max), 1, 10_000);
    within("body_max", manifest.batch.body_max.0, 1 << 10, 32 << 20);
    within("linger_ms", u64::from(manifest.batch.linger_ms), 0, 60_000);
    for endpoint in manifest.batch.joins.keys().filter(|name| !manifest.endpoints.contains_key(*name)) {
        let what = format!("`joins` names `{}`, which is no endpoint", endpoint.escape_debug());
        mistakes.add("joins", what, "name one of `[endpoints]`, or leave it out");
    }
    if !manifest.batch.joins_any() && manifest.batch.events_max > 1 {
        mistakes.add("events_max", "`events_max` without `join`".into(), "say how: `join = \"json-array:/data\"`");
    }
    if !manifest.config.is_object() {
        mistakes.add("config", "`config` is no JSON Schema".into(), "make it a table, `[config]`");
    }
}

fn is_key(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(fits)
}

/// Headers that a secret would break the request in.
fn is_reserved(header: &str) -> bool {
    const RESERVED: [&str; 5] = ["connection", "content-length", "content-type", "host", "transfer-encoding"];
    RESERVED.iter().any(|reserved| header.eq_ignore_ascii_case(reserved))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod schema_tests;
#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
