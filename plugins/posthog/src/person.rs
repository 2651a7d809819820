//! What is known of a person or a group: `$identify`, `$set`, `$groupidentify` and `$create_alias`.
//!
//! Sources: "Capture and batch API endpoints", sections "Identify", "Group identify" and "Alias"; "Identifying users",
//! section "When are merges blocked?".

use std::borrow::Cow;

use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::{Event, RawPairs, Rejection, Request};

use crate::entry::{self, Source};
use crate::identity;
use crate::properties;

/// Identifiers that are person properties, under the names that PostHog's interface looks for.
const TRAITS: [&str; 10] =
    ["email", "phone", "first_name", "last_name", "date_of_birth", "gender", "city", "state", "postal_code", "country"];

/// What names a group, or another id of a person, and is no trait.
const IDS: [&str; 4] = ["groupId", "group_id", "previousId", "previous_id"];

/// Who the visitor is. `$anon_distinct_id` is who that was until now: the anonymous events become the person's.
pub(crate) fn identify(source: Source<'_>) -> Result<Request, Rejection> {
    let Source { event, own, .. } = source;
    let set = traits(event, own);
    let Some(identity) = identity::of(event)?.filter(|identity| identity.is_known) else {
        return Err(Rejection::skip("identifies nobody: it has no user id"));
    };
    if identity.device.is_none() && set.is_empty() {
        return Err(Rejection::skip("says nothing to PostHog: no anonymous id to link, and no traits"));
    }
    let mut properties = properties::envelope(source);
    properties.text("$anon_distinct_id", identity.device);
    properties.object("$set", set);
    let entry = entry::entry("$identify", 0, Cow::Borrowed(identity.distinct_id), properties, source);
    entry::request(&entry, source)
}

fn traits<'a>(event: &'a Event, own: &'a RawPairs<'a>) -> Fields<'a> {
    let mut set = Fields::default();
    for key in TRAITS {
        set.text(key, event.identifier(key));
    }
    for (name, value) in own.iter().filter(|(name, _)| !IDS.contains(name)) {
        set.put(name, Field::Raw(value));
    }
    set
}

/// A group's properties. The person's own identifiers are not the group's.
pub(crate) fn group(source: Source<'_>) -> Result<Request, Rejection> {
    let Source { event, own, config, .. } = source;
    let Some(group_type) = config.group_type.as_deref() else {
        return Err(Rejection::skip("a group needs `group_type` in the configuration"));
    };
    let key = own.id("groupId").or_else(|| own.id("group_id"));
    let key = key.ok_or_else(|| Rejection::invalid("group without groupId"))?;
    let mut set = Fields::default();
    for (name, value) in own.iter().filter(|(name, _)| !IDS.contains(name)) {
        set.put(name, Field::Raw(value));
    }
    // PostHog's own SDKs name the event's person so where a server knows of nobody. An anonymous visitor is nobody
    // here: this event cannot do without a person profile, and would make one.
    let distinct_id = match identity::of(event)?.filter(|identity| identity.is_known) {
        Some(identity) => Cow::Borrowed(identity.distinct_id),
        None => Cow::Owned(["$", group_type, "_", &key].concat()),
    };
    let mut properties = properties::envelope(source);
    properties.text("$group_type", Some(group_type));
    properties.text("$group_key", Some(key));
    properties.object("$group_set", set);
    entry::request(&entry::entry("$groupidentify", 0, distinct_id, properties, source), source)
}

/// Another id of a person. The alias is merged into the distinct id, which must not be the other way round: a person
/// who was identified already is never merged into another.
pub(crate) fn alias(source: Source<'_>) -> Result<Request, Rejection> {
    let Source { event, own, .. } = source;
    let previous = own.id("previousId").or_else(|| own.id("previous_id"));
    let user = identity::of(event)?.filter(|identity| identity.is_known);
    match (user, previous) {
        (Some(user), Some(previous)) => {
            identity::legal(&previous)?;
            let mut properties = properties::envelope(source);
            properties.text("alias", Some(previous));
            let entry = entry::entry("$create_alias", 0, Cow::Borrowed(user.distinct_id), properties, source);
            entry::request(&entry, source)
        }
        // What consent to analytics alone leaves of one.
        (None, None) => Err(Rejection::skip("links nobody: it has neither a user id nor a previous one")),
        (None, _) => Err(Rejection::invalid("alias without userId")),
        (_, None) => Err(Rejection::invalid("alias without previousId")),
    }
}
