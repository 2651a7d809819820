//! Compares the fields that are seen, wildcards included.
//!
//! A grant of `cookie.*` covers one of `cookie._ga_*` and `cookie._fbp`; a field that is granted by its own name is handed
//! over in that form, whatever a wildcard beside it says. So every name that either side mentions is looked up on both.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_plugin_sdk::manifest::{Form, Read};

use super::super::words;
use super::{Changes, Effect, Values};

type Reads = BTreeMap<String, Read>;

/// The one identifier whose own grant hands over more than a wildcard does: the user's id stands in for it
/// (`tidegate_sandbox::Projection`).
const STANDS_IN: &str = "user.external_id";

pub(super) fn compare(old: &Reads, new: &Reads, changes: &mut Changes) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (before, after) = (granted(old, name), granted(new, name));
        let said = |grant: Option<&Read>| grant.map(words::form);
        let values = Values(said(before), said(after));
        let at = ("reads", name.as_str());
        match (before, after) {
            (None, None) => {}
            (None, Some(read)) => changes.add(Effect::Widens, at, values, format!("it sees this now: {}", read.why)),
            (Some(_), None) => changes.add(Effect::Narrows, at, values, "it does not see this any more"),
            (Some(before), Some(after)) => {
                let (effect, says) = change(before, after);
                let by_name = name == STANDS_IN && !old.contains_key(name) && new.contains_key(name);
                if by_name {
                    changes.add(Effect::Widens, at, values, "the user's id stands in for it now");
                } else if let Some(effect) = effect {
                    changes.add(effect, at, values, says);
                } else if before.why != after.why && old.contains_key(name) && new.contains_key(name) {
                    let values = Values::both(&before.why, &after.why);
                    changes.add(Effect::Changes, at, values, "it sees the same for another reason");
                }
            }
        }
    }
}

/// The grant by which a field is seen: its own, or that of the longest wildcard that covers it.
fn granted<'a>(reads: &'a Reads, name: &str) -> Option<&'a Read> {
    let own = reads.get(name);
    let covers = |pattern: &str| pattern.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix));
    let wildcard = || reads.iter().filter(|(pattern, _)| covers(pattern)).max_by_key(|(pattern, _)| pattern.len());
    own.or_else(|| wildcard().map(|(_, read)| read))
}

/// What a change of form means.
fn change(before: &Read, after: &Read) -> (Option<Effect>, &'static str) {
    if before.form == Form::Sha256 && after.form == Form::Plain {
        return (Some(Effect::Widens), "it sees this in the clear");
    }
    // What comes last only takes away from what came before; a step taken out, or put in earlier, may let more through.
    if !after.normalize.starts_with(&before.normalize) {
        return (Some(Effect::Widens), "it sees this normalised in another way");
    }
    if before.form != after.form {
        return (Some(Effect::Narrows), "it sees a digest of this only");
    }
    let effect = (before.normalize != after.normalize).then_some(Effect::Narrows);
    (effect, "it sees less of this")
}
