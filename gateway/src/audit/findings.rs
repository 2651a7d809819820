//! Finds what somebody should look at: purely, from an inspection.

use tidegate_plugin_sdk::manifest::{Auth, Form, Instance, Manifest, Read};
use tidegate_sandbox::{InspectError, Inspection, LoadError, obstacles};

use super::Finding;
use super::rules::{self, Rule};
use crate::causes::chain;
use crate::permissions::signature::{self, Signed, Standing};
use crate::permissions::words;

const MEMORY_BYTES_LARGE: u64 = 16 << 20;
const TIME_LONG_MS: u32 = 100;
const AGE_OLD_MS: u64 = 31 * 86_400_000;
/// The fields of `user` that name nobody by themselves.
const PSEUDONYMS: [&str; 1] = ["user.anonymous_id"];

pub(super) fn finding(rule: &Rule, subject: impl Into<String>, message: impl Into<String>) -> Finding {
    Finding { rule: rule.id, level: rule.level, subject: subject.into(), message: message.into(), hint: None }
}

/// Why nothing can be said of some bytes.
pub(super) fn unreadable(error: &InspectError) -> Vec<Finding> {
    let hint = error.hint().map(str::to_owned);
    match error {
        InspectError::Manifest(mistakes) => {
            let one = |mistake: &tidegate_plugin_sdk::manifest::Mistake| {
                let is_world = mistake.what.contains("is a contract that is not known");
                let rule = if is_world { &rules::UNKNOWN_WORLD } else { &rules::MALFORMED_MANIFEST };
                let line = mistake.line.map(|line| format!("line {line}: ")).unwrap_or_default();
                Finding { hint: mistake.hint.clone(), ..finding(rule, "manifest", format!("{line}{}", mistake.what)) }
            };
            mistakes.iter().map(one).collect()
        }
        InspectError::NoManifest(what) => {
            vec![Finding { hint, ..finding(&rules::MALFORMED_MANIFEST, "manifest", format!("it {what}")) }]
        }
        InspectError::Fixtures(what) => {
            vec![Finding { hint, ..finding(&rules::MALFORMED_FIXTURES, "fixtures", format!("it {what}")) }]
        }
        InspectError::TooLarge { .. } | InspectError::NotComponent { .. } | InspectError::Damaged(_) => {
            vec![Finding { hint, ..finding(&rules::UNREADABLE, "component", format!("it {error}")) }]
        }
    }
}

/// What there is to say of a file that nobody signed.
pub(super) fn unsigned() -> Finding {
    let hint = "`minisign -Sm FILE` makes a signature; `[plugins] signatures = \"required\"` asks for one".to_owned();
    Finding { hint: Some(hint), ..finding(&rules::UNSIGNED, "signature", "is not signed") }
}

/// What there is to say of a signature by a key that is used no more.
pub(super) fn retired(signed: &Signed) -> Option<Finding> {
    let Signed { signer, standing, .. } = signed;
    let message = format!("is signed by `{}` with the retired key `{}`", signer.publisher, signer.key);
    (*standing == Standing::Retired).then(|| finding(&rules::RETIRED_KEY, "signature", message))
}

/// What there is to say of a signature that does not count.
pub(super) fn forged(error: &signature::Error) -> Finding {
    Finding { hint: Some(error.hint().to_owned()), ..finding(&rules::BAD_SIGNATURE, "signature", chain(error)) }
}

/// What there is to say of a plugin that can be read.
pub(super) fn of(inspection: &Inspection) -> Vec<Finding> {
    let manifest = &inspection.manifest;
    let mut found: Vec<Finding> = obstacles(inspection).iter().flat_map(obstacle).collect();
    let extra = inspection.exports.iter().filter(|name| !name.starts_with("tidegate:destination/"));
    found.extend(extra.map(|name| finding(&rules::EXTRA_EXPORT, name, format!("exports `{name}`"))));
    found.extend(manifest.reads.iter().flat_map(|(field, read)| grants(field, read)));
    found.extend(endpoints(manifest));
    found.extend(manifest_auth(manifest));
    found.extend(limits(manifest));
    if inspection.fixtures.is_empty() {
        found.push(finding(&rules::NO_FIXTURES, "fixtures", "carries no fixture"));
    }
    found
}

/// Why the gateway would not load it.
fn obstacle(error: &LoadError) -> Vec<Finding> {
    let hint = error.hint().map(str::to_owned);
    match error {
        LoadError::Imports(imports) => {
            let one = |import: &tidegate_sandbox::Import| {
                let message = format!("imports `{}`, which {}", import.name, import.allows);
                Finding { hint: hint.clone(), ..finding(&rules::IMPORT, &import.name, message) }
            };
            imports.iter().map(one).collect()
        }
        LoadError::World { found, .. } => {
            vec![Finding { hint, ..finding(&rules::UNKNOWN_WORLD, found, error.to_string()) }]
        }
        LoadError::Memory { .. } => {
            vec![Finding { hint, ..finding(&rules::START_MEMORY, "memory", error.to_string()) }]
        }
        _ => vec![Finding { hint, ..finding(&rules::CONTRACT, "exports", error.to_string()) }],
    }
}

fn grants(field: &str, read: &Read) -> Vec<Finding> {
    let (form, why) = (words::form(read), &read.why);
    let said = |rule: &Rule, what: &str| finding(rule, field, format!("{what} `{field}` as {form}: {why}"));
    let personal = field.starts_with("user.") && !PSEUDONYMS.contains(&field);
    let online = PSEUDONYMS.contains(&field)
        || field == "client.ip"
        || field.starts_with("click.")
        || field.starts_with("cookie.");
    let plain = read.form == Form::Plain;
    let wildcard = field.ends_with('*').then(|| said(&rules::WILDCARD, "sees every"));
    let personal = (personal && plain).then(|| said(&rules::PLAIN_PERSONAL, "sees"));
    let online = (online && plain).then(|| said(&rules::ONLINE_IDENTIFIER, "sees"));
    [wildcard, personal, online].into_iter().flatten().collect()
}

fn endpoints(manifest: &Manifest) -> Vec<Finding> {
    let configured = manifest.endpoints.iter().filter_map(|(name, endpoint)| {
        let parameters = endpoint.parameters().host;
        let given: Vec<String> = parameters.iter().map(|parameter| format!("`{parameter}`")).collect();
        let message =
            format!("endpoint `{name}` is `{}`: the configuration's {} says where", endpoint.url, given.join(", "));
        (!given.is_empty()).then(|| finding(&rules::CONFIGURED_HOST, name, message))
    });
    configured.collect()
}

fn manifest_auth(manifest: &Manifest) -> Option<Finding> {
    let Some(auth) = &manifest.auth else {
        return Some(finding(&rules::NO_AUTH, "auth", "no credentials are added to its requests"));
    };
    let said = words::credentials(auth);
    match auth {
        auth if auth.is_optional() => Some(finding(&rules::OPTIONAL_AUTH, "auth", said)),
        Auth::Query { .. } | Auth::Path { .. } => Some(finding(&rules::SECRET_IN_URL, "auth", said)),
        _ => None,
    }
}

fn limits(manifest: &Manifest) -> Vec<Finding> {
    let limits = &manifest.limits;
    let memory = (limits.memory_max.0 > MEMORY_BYTES_LARGE)
        .then(|| finding(&rules::LARGE_MEMORY, "memory_max", format!("may use {} for an event", limits.memory_max)));
    let time = (limits.time_max_ms > TIME_LONG_MS)
        .then(|| finding(&rules::LONG_TIME, "time_max_ms", format!("may run for {} ms", limits.time_max_ms)));
    let age = (limits.age_max.as_ms() > AGE_OLD_MS)
        .then(|| finding(&rules::OLD_EVENTS, "age_max", format!("is given events up to {} old", limits.age_max)));
    let shared = (limits.instance == Instance::PerBatch).then(|| {
        let message = "may carry data from one event to the next of the same request";
        finding(&rules::SHARED_INSTANCE, "instance", message)
    });
    [memory, time, shared, age].into_iter().flatten().collect()
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
