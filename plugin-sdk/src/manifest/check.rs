//! Parses a manifest and finds everything that is wrong with it, all at once.

use std::fmt;

use super::{Endpoint, Form, Join, Manifest, Normalizer, Read};

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
/// Their last part is a name, or `*` for all of them.
const FAMILIES: &[&str] = &["click.", "cookie.", "properties.", "user."];

pub(super) fn parse(text: &str) -> Result<Manifest, Vec<Mistake>> {
    let manifest: Manifest = toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        vec![Mistake { line, what: e.message().trim().to_owned(), hint: None }]
    })?;
    let mut mistakes = Mistakes { text, list: Vec::new() };
    check_identity(&manifest, &mut mistakes);
    for (name, endpoint) in &manifest.endpoints {
        check_endpoint(name, endpoint, &mut mistakes);
    }
    for (field, read) in &manifest.reads {
        check_read(field, read, &mut mistakes);
    }
    check_bounds(&manifest, &mut mistakes);
    if mistakes.list.is_empty() { Ok(manifest) } else { Err(mistakes.list) }
}

struct Mistakes<'a> {
    text: &'a str,
    list: Vec<Mistake>,
}

impl Mistakes<'_> {
    /// Adds a mistake at the first line that contains `at`.
    fn add(&mut self, at: &str, what: String, hint: &str) {
        let line = self.text.lines().position(|line| line.contains(at)).map(|index| index + 1);
        self.list.push(Mistake { line, what, hint: (!hint.is_empty()).then(|| hint.to_owned()) });
    }
}

fn check_identity(manifest: &Manifest, mistakes: &mut Mistakes<'_>) {
    let name = &manifest.name;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        mistakes.add(
            "name",
            format!("`{name}` is no plugin name"),
            "lower-case letters, digits and hyphens, at most 64",
        );
    }
    if manifest.summary.is_empty() || manifest.summary.len() > 200 {
        mistakes.add("summary", "`summary` must have 1 to 200 characters".into(), "");
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

fn check_endpoint(name: &str, endpoint: &Endpoint, mistakes: &mut Mistakes<'_>) {
    let url = &endpoint.url;
    let whole_from_config = url.starts_with('{') && url.ends_with('}') && url.matches('{').count() == 1;
    if !whole_from_config && !url.starts_with("https://") {
        mistakes.add(
            url,
            format!("endpoint `{name}` is not https: `{url}`"),
            "a `base_url` in the gateway's configuration replaces scheme and host for tests",
        );
    }
    if url.matches('{').count() != url.matches('}').count() || url.contains(['@', ' ', '#']) {
        mistakes.add(url, format!("endpoint `{name}` has a malformed url: `{url}`"), "");
    }
}

fn check_read(field: &str, read: &Read, mistakes: &mut Mistakes<'_>) {
    let family = FAMILIES.iter().find(|family| field.starts_with(**family) && field.len() > family.len());
    if !FIELDS.contains(&field) && family.is_none() {
        let hint = "`user.…`, `click.…`, `cookie.…`, `properties.…`, `page.url`, `client.ip`, `event.value` and so on";
        mistakes.add(field, format!("`{field}` is no field of an event"), hint);
    }
    if read.why.trim().is_empty() {
        mistakes.add(field, format!("`{field}` says not why it is read"), "write it for the person who approves it");
    }
    if read.form == Form::Sha256 && !field.starts_with("user.") {
        mistakes.add(field, format!("`{field}` cannot be hashed"), "`as = \"sha256\"` is for `user.…` only");
    }
    let email =
        [Normalizer::EmailNoTag, Normalizer::EmailNoDots, Normalizer::EmailNoDotsGmail, Normalizer::EmailAlphanumeric];
    if field != "user.email" && read.normalize.iter().any(|step| email.contains(step)) {
        mistakes.add(field, format!("`{field}` is normalised as an e-mail address"), "");
    }
    if !field.starts_with("user.") && !read.normalize.is_empty() {
        mistakes.add(field, format!("`{field}` cannot be normalised"), "`normalize` is for `user.…` only");
    }
}

fn check_bounds(manifest: &Manifest, mistakes: &mut Mistakes<'_>) {
    let limits = &manifest.limits;
    let mut within = |name: &str, value: u64, least: u64, most: u64| {
        if value < least || value > most {
            mistakes.add(name, format!("`{name}` is {value}: must be from {least} to {most}"), "");
        }
    };
    within("time_max_ms", u64::from(limits.time_max_ms), 1, 1_000);
    within("memory_max", limits.memory_max.0, 128 << 10, 64 << 20);
    within("output_max", limits.output_max.0, 1 << 10, 16 << 20);
    within("age_max", limits.age_max.as_ms(), 1_000, 400 * 86_400_000);
    within("events_max", u64::from(manifest.batch.events_max), 1, 10_000);
    within("body_max", manifest.batch.body_max.0, 1 << 10, 32 << 20);
    within("linger_ms", u64::from(manifest.batch.linger_ms), 0, 60_000);
    if manifest.batch.join == Join::None && manifest.batch.events_max > 1 {
        mistakes.add("events_max", "`events_max` without `join`".into(), "say how: `join = \"json-array:/data\"`");
    }
    if !manifest.config.is_object() {
        mistakes.add("config", "`config` is no JSON Schema".into(), "make it a table, `[config]`");
    }
}
