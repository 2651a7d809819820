//! What changes between two sets of permissions, and which way: purely.
//!
//! Owns the rule of what is a widening: all that is not provably none. A field, form, address, secret or limit that was not
//! there before is one; so is another way to add the secrets, another contract, or an address that is only spelled
//! differently. Less of anything narrows. What changes no permission, such as the code, is a change and nothing more.

mod reads;

use serde::Serialize;
use tidegate_plugin_sdk::manifest::{Auth, Endpoint, Instance};

use super::signature::Signer;
use super::{Permissions, words};

/// Which way a change goes, the one to look at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It may do something that it might not before.
    Widens,
    /// It may do as much as before.
    Changes,
    /// It may do less.
    Narrows,
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Effect::Widens => "widens",
            Effect::Changes => "changes",
            Effect::Narrows => "narrows",
        }
    }
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub effect: Effect,
    /// The part of the permissions, as the manifest names it: `reads`, `endpoints`.
    pub part: &'static str,
    /// Which of them: a field, an endpoint, a limit.
    pub subject: String,
    /// As it was; nothing where it was not there.
    pub old: Option<String>,
    /// As it is; nothing where it is gone.
    pub new: Option<String>,
    /// What that means, in a sentence.
    pub says: String,
}

/// Collects the lines.
struct Changes(Vec<Change>);

/// What changes from `old` to `new`, widenings first.
pub fn compare(old: &Permissions, new: &Permissions) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    identity(old, new, &mut changes);
    signer(old, new, &mut changes);
    imports(old, new, &mut changes);
    reads::compare(&old.reads, &new.reads, &mut changes);
    endpoints(old, new, &mut changes);
    chosen(old, new, &mut changes);
    secrets(old, new, &mut changes);
    auth(old, new, &mut changes);
    purposes(old, new, &mut changes);
    limits(old, new, &mut changes);
    batch(old, new, &mut changes);
    let Changes(mut list) = changes;
    list.sort_by_key(|change| change.effect);
    list
}

impl Changes {
    fn add(&mut self, effect: Effect, (part, subject): (&'static str, &str), values: Values, says: impl Into<String>) {
        let Values(old, new) = values;
        self.0.push(Change { effect, part, subject: subject.to_owned(), old, new, says: says.into() });
    }
}

/// As it was, and as it is.
struct Values(Option<String>, Option<String>);

impl Values {
    fn both(old: impl ToString, new: impl ToString) -> Values {
        Values(Some(old.to_string()), Some(new.to_string()))
    }
}

fn identity(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    let mut other = |effect, part, (before, after): (&str, &str), says: &str| {
        if before != after {
            changes.add(effect, (part, ""), Values::both(before, after), says);
        }
    };
    other(Effect::Widens, "world", (&old.world, &new.world), "it is built for another contract");
    other(Effect::Changes, "plugin", (&old.plugin, &new.plugin), "it is another plugin");
    other(Effect::Changes, "version", (&old.version, &new.version), "it is another version");
    other(Effect::Changes, "digest", (old.digest.as_str(), new.digest.as_str()), "it is other code");
}

/// Whoever approved a publisher's code did not approve another's; a key more of the same publisher is their own affair.
fn signer(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    let said = |signer: &Option<Signer>| signer.as_ref().map(|it| format!("{} (key {})", it.publisher, it.key));
    let (effect, says) = match (&old.signer, &new.signer) {
        (old, new) if old == new => return,
        (_, None) => (Effect::Widens, "nobody vouches for it any more"),
        (None, Some(_)) => (Effect::Narrows, "its publisher vouches for it now"),
        (Some(old), Some(new)) if old.publisher == new.publisher => {
            (Effect::Changes, "its publisher signed with another key")
        }
        (Some(_), Some(_)) => (Effect::Widens, "another publisher signed it"),
    };
    changes.add(effect, ("signer", ""), Values(said(&old.signer), said(&new.signer)), says);
}

fn imports(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    for name in new.imports.difference(&old.imports) {
        changes.add(Effect::Widens, ("imports", name), Values(None, Some(name.clone())), "it wants this from outside");
    }
    for name in old.imports.difference(&new.imports) {
        changes.add(Effect::Narrows, ("imports", name), Values(Some(name.clone()), None), "it does without this");
    }
}

fn endpoints(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    let known = |it: &Endpoint| old.endpoints.values().any(|other| other == it);
    for (name, it) in &new.endpoints {
        let before = old.endpoints.get(name);
        let values = Values(before.map(words::endpoint), Some(words::endpoint(it)));
        let at = ("endpoints", name.as_str());
        match before {
            Some(before) if before == it => {}
            _ if known(it) => changes.add(Effect::Changes, at, values, "an address that it had, by another name"),
            Some(before) if host(before) == host(it) && before.url != it.url => {
                changes.add(Effect::Widens, at, values, "it may send to another address of the same host");
            }
            Some(before) if before.url == it.url => {
                changes.add(Effect::Widens, at, values, "it may send by another method");
            }
            _ if old.endpoints.values().any(|other| host(other) == host(it)) => {
                changes.add(Effect::Widens, at, values, "it may send to an address that it had not");
            }
            _ => changes.add(Effect::Widens, at, values, format!("it may send to another host: {}", host(it))),
        }
    }
    for (name, it) in old.endpoints.iter().filter(|(name, _)| !new.endpoints.contains_key(*name)) {
        let values = Values(Some(words::endpoint(it)), None);
        let kept = new.endpoints.values().any(|other| other == it);
        match kept {
            true => changes.add(Effect::Changes, ("endpoints", name), values, "the address goes by another name"),
            false => changes.add(Effect::Narrows, ("endpoints", name), values, "it does not send there any more"),
        }
    }
}

/// Which parts of a path it gives itself. The same code chooses the same, also where the lock is too old to say.
fn chosen(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    if old.digest == new.digest {
        return;
    }
    for part in new.chosen.difference(&old.chosen) {
        let says = "it may give this part of the path itself, with each request";
        changes.add(Effect::Widens, ("chosen", part), Values(None, Some(part.clone())), says);
    }
    for part in old.chosen.difference(&new.chosen) {
        let says = "it does not give this part of the path any more";
        changes.add(Effect::Narrows, ("chosen", part), Values(Some(part.clone()), None), says);
    }
}

/// Scheme, host and port of an endpoint's template.
fn host(endpoint: &Endpoint) -> &str {
    let url = &endpoint.url;
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    &url[..end]
}

fn secrets(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    for name in new.secrets.difference(&old.secrets) {
        let says = "its requests carry this secret";
        changes.add(Effect::Widens, ("secrets", name), Values(None, Some(name.clone())), says);
    }
    for name in old.secrets.difference(&new.secrets) {
        let says = "its requests do not carry this secret any more";
        changes.add(Effect::Narrows, ("secrets", name), Values(Some(name.clone()), None), says);
    }
}

fn auth(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    if old.auth == new.auth {
        return;
    }
    let said = |auth: &Option<Auth>| auth.as_ref().map(words::credentials);
    let values = Values(said(&old.auth), said(&new.auth));
    let (effect, says) = match (&old.auth, &new.auth) {
        (_, None) => (Effect::Narrows, "its requests carry no credentials any more"),
        (None, _) => (Effect::Widens, "its requests carry credentials now"),
        (Some(_), Some(_)) => (Effect::Widens, "its secrets are used in another way"),
    };
    changes.add(effect, ("auth", ""), values, says);
}

fn purposes(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    for purpose in old.purposes.difference(&new.purposes) {
        let name = words::name_of(purpose);
        let says = "events come here without consent to this";
        changes.add(Effect::Widens, ("purposes", &name), Values(Some(name.clone()), None), says);
    }
    for purpose in new.purposes.difference(&old.purposes) {
        let name = words::name_of(purpose);
        let says = "events need consent to this too";
        changes.add(Effect::Narrows, ("purposes", &name), Values(None, Some(name.clone())), says);
    }
}

fn limits(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    let (before, after) = (&old.limits, &new.limits);
    let mut limit = |subject: &str, (was, is): (u64, u64), values: Values, says: &str| match is.cmp(&was) {
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => changes.add(Effect::Widens, ("limits", subject), values, says),
        std::cmp::Ordering::Less => changes.add(Effect::Narrows, ("limits", subject), values, "the limit is lower"),
    };
    let ages = (before.age_max.as_ms(), after.age_max.as_ms());
    limit("age_max", ages, Values::both(before.age_max, after.age_max), "it is given older events");
    let memory = (before.memory_max.0, after.memory_max.0);
    limit("memory_max", memory, Values::both(before.memory_max, after.memory_max), "it may use more memory");
    let output = (before.output_max.0, after.output_max.0);
    limit("output_max", output, Values::both(before.output_max, after.output_max), "it may return more");
    let time = (u64::from(before.time_max_ms), u64::from(after.time_max_ms));
    let milliseconds = Values(Some(format!("{} ms", time.0)), Some(format!("{} ms", time.1)));
    limit("time_max_ms", time, milliseconds, "it may run for longer");
    if before.instance != after.instance {
        let values = Values(Some(words::name_of(&before.instance)), Some(words::name_of(&after.instance)));
        let (effect, says) = match after.instance {
            Instance::PerBatch => (Effect::Widens, "it may carry data from one event to the next of the same request"),
            Instance::PerEvent => (Effect::Narrows, "each event has an instance of its own"),
        };
        changes.add(effect, ("limits", "instance"), values, says);
    }
}

/// How events are joined says when and in how many requests the same data leaves; not which, nor where to.
fn batch(old: &Permissions, new: &Permissions, changes: &mut Changes) {
    if old.batch != new.batch {
        let values = Values::both(words::batching(&old.batch), words::batching(&new.batch));
        changes.add(Effect::Changes, ("batch", ""), values, "its events are joined in another way");
    }
}

#[cfg(test)]
mod tests;
