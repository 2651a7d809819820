//! What is known of a person or a group: the link of two ids, and profiles.
//!
//! Sources: "Create Identity", "Create Alias", "Set Property" of `/engage`, "Update Property" of `/groups`, "Reserved
//! Properties", and "Identifying Users (Simplified)": "Avoid creating profiles for anonymous users".

use serde::Serialize;
use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::{Event, RawPairs, Rejection, Request};

use crate::config::IdMerge;
use crate::event::{self, Source};
use crate::request;

/// Identifiers, and the names of Mixpanel's profiles for them.
const TRAITS: &[(&str, &str)] = &[
    ("email", "$email"),
    ("phone", "$phone"),
    ("first_name", "$first_name"),
    ("last_name", "$last_name"),
    ("date_of_birth", "birthday"),
    ("gender", "gender"),
    ("city", "$city"),
    ("state", "$region"),
    ("country", "$country_code"),
];

/// What names a group, or another id of a person, and is no trait.
const IDS: [&str; 4] = ["groupId", "group_id", "previousId", "previous_id"];

#[derive(Serialize)]
struct UserUpdate<'a> {
    #[serde(rename = "$token")]
    token: &'a str,
    #[serde(rename = "$distinct_id")]
    distinct_id: &'a str,
    #[serde(rename = "$ip", skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(rename = "$set")]
    set: Fields<'a>,
}

#[derive(Serialize)]
struct GroupUpdate<'a> {
    #[serde(rename = "$token")]
    token: &'a str,
    #[serde(rename = "$group_key")]
    group_key: &'a str,
    #[serde(rename = "$group_id")]
    group_id: &'a str,
    #[serde(rename = "$set")]
    set: Fields<'a>,
}

/// The link between the anonymous id and the user's, and the user's profile: each where it is known.
pub(crate) fn identify(source: Source<'_>) -> Result<Vec<Request>, Rejection> {
    let Source { event, own, config, identity, .. } = source;
    let Some(user) = identity.user else {
        return Err(Rejection::skip("identifies nobody: Mixpanel's profiles are of users, and it has no user id"));
    };
    let mut requests = Vec::new();
    if let Some(device) = identity.device {
        let ids = [("$identified_id", user), ("$anon_id", device)];
        requests.push(event::about_ids("$identify", &ids, source)?);
    }
    let set = traits(event, own);
    if let Some(token) = config.project_token.as_deref()
        && !set.is_empty()
    {
        let update = UserUpdate { token, distinct_id: user, ip: event.ip(), set };
        requests.push(request::profile("engage", &update, config)?);
    }
    if requests.is_empty() {
        return Err(Rejection::skip("says nothing to Mixpanel: no ids to link, and no traits or no `project_token`"));
    }
    Ok(requests)
}

fn traits<'a>(event: &'a Event, own: &'a RawPairs<'a>) -> Fields<'a> {
    let mut set = Fields::default();
    for (key, name) in TRAITS {
        set.text(*name, event.identifier(key));
    }
    for (name, value) in own.iter().filter(|(name, _)| !IDS.contains(name)) {
        set.put(name, Field::Raw(value));
    }
    set
}

/// A group's profile. The person's own identifiers are not the group's.
pub(crate) fn group(source: Source<'_>) -> Result<Vec<Request>, Rejection> {
    let Source { own, config, .. } = source;
    let (Some(token), Some(group_key)) = (config.project_token.as_deref(), config.group_key.as_deref()) else {
        return Err(Rejection::skip("a group's profile needs `project_token` and `group_key` in the configuration"));
    };
    let id = own.id("groupId").or_else(|| own.id("group_id"));
    let id = id.ok_or_else(|| Rejection::invalid("group without groupId"))?;
    let mut set = Fields::default();
    for (name, value) in own.iter().filter(|(name, _)| !IDS.contains(name)) {
        set.put(name, Field::Raw(value));
    }
    if set.is_empty() {
        return Err(Rejection::skip("a group without traits: Mixpanel's group profiles have at least one property"));
    }
    let update = GroupUpdate { token, group_key, group_id: &id, set };
    Ok(vec![request::profile("groups", &update, config)?])
}

/// "Only useful for projects using the Original ID Merge system …; it has no functionality in the Simplified ID Merge
/// system."
pub(crate) fn alias(source: Source<'_>) -> Result<Vec<Request>, Rejection> {
    let Source { own, config, identity, .. } = source;
    if config.id_merge == IdMerge::Simplified {
        return Err(Rejection::skip("Mixpanel's simplified ID merge has no aliases"));
    }
    let previous = own.id("previousId").or_else(|| own.id("previous_id"));
    match (identity.user, previous) {
        (Some(user), Some(previous)) => {
            // The alias is a new name for the id that is known already.
            let known = crate::identity::Identity { user: None, device: Some(&previous) };
            let source = Source { identity: &known, ..source };
            Ok(vec![event::about_ids("$create_alias", &[("alias", user)], source)?])
        }
        (None, None) => Err(Rejection::skip("links nobody: it has neither a user id nor a previous one")),
        (None, _) => Err(Rejection::invalid("alias without userId")),
        (_, None) => Err(Rejection::invalid("alias without previousId")),
    }
}
