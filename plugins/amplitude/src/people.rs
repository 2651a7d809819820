//! What is known of a user or a group: `$identify` and `$groupidentify`.
//!
//! Sources: "Identify API" and "Group Identify API" for the operations; that both are sent as events, and that joining a
//! group is an `$identify`, is how Amplitude's SDKs do it.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::{ClickId, Rejection};

use crate::entry::{self, Entry, Groups, Source};
use crate::properties::{self, Bounded, Properties};

/// Ids that travel among the properties of a call and are no traits.
const IDS: [&str; 2] = ["groupId", "previousId"];

/// `user_properties`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum UserProperties<'a> {
    /// On an ordinary event: set as they are.
    Plain(Clicks<'a>),
    /// On an `$identify`: "User property operations are supported when `event_type` is `$identify`".
    Operations(Operations<'a>),
}

/// Operations on the properties of a user.
#[derive(Serialize)]
pub(crate) struct Operations<'a> {
    #[serde(rename = "$set", skip_serializing_if = "Set::is_empty")]
    set: Set<'a>,
    #[serde(rename = "$setOnce", skip_serializing_if = "Clicks::is_empty")]
    set_once: Clicks<'a>,
}

/// `group_properties`.
#[derive(Serialize)]
pub(crate) struct GroupProperties<'a> {
    #[serde(rename = "$set")]
    set: Set<'a>,
}

impl<'a> UserProperties<'a> {
    /// The clicks that led here, as the Browser SDK's attribution keeps them.
    pub(crate) fn of_clicks(clicks: &'a [ClickId]) -> Option<UserProperties<'a>> {
        (!clicks.is_empty()).then_some(UserProperties::Plain(Clicks { clicks, prefix: "" }))
    }
}

/// Click ids under their names.
pub(crate) struct Clicks<'a> {
    clicks: &'a [ClickId],
    prefix: &'static str,
}

impl Clicks<'_> {
    fn is_empty(&self) -> bool {
        self.clicks.is_empty()
    }
}

impl Serialize for Clicks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entry::clicks(&mut map, self.clicks, self.prefix)?;
        map.end()
    }
}

/// Traits and clicks, or the group that a user joins.
struct Set<'a> {
    traits: Option<&'a Properties<'a>>,
    clicks: &'a [ClickId],
    group: Option<Groups<'a>>,
}

impl Set<'_> {
    fn is_empty(&self) -> bool {
        self.clicks.is_empty() && self.group.is_none() && !self.traits.is_some_and(has_traits)
    }
}

impl Serialize for Set<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(Groups(kind, id)) = &self.group {
            map.serialize_entry(kind, id)?;
        }
        for (name, value) in self.traits.into_iter().flat_map(Properties::iter).filter(|(name, _)| !IDS.contains(name))
        {
            map.serialize_entry(name, &Bounded(value))?;
        }
        entry::clicks(&mut map, self.clicks, "")?;
        map.end()
    }
}

fn has_traits(traits: &Properties<'_>) -> bool {
    traits.iter().any(|(name, _)| !IDS.contains(&name))
}

/// The entry for an identify call.
///
/// # Errors
/// A skip when it tells nothing of a user.
pub(crate) fn identify(source: Source<'_>) -> Result<Vec<Entry<'_>>, Rejection> {
    let Source { event, properties, .. } = source;
    let mut entry = entry::new("$identify", source)?;
    let clicks = &event.clicks;
    let set = Set { traits: Some(properties), clicks, group: None };
    if set.is_empty() {
        // With a user id it still tells whose browser it is.
        if event.user_id.is_none() {
            return Err(Rejection::skip("it tells nothing of the visitor"));
        }
        return Ok(vec![entry]);
    }
    let set_once = Clicks { clicks, prefix: "initial_" };
    entry.user_properties = Some(UserProperties::Operations(Operations { set, set_once }));
    Ok(vec![entry])
}

/// The entries for a group call: that the user belongs to the group, and what is known of the group.
///
/// # Errors
/// A skip when the configuration does not say what groups are; invalid without a group's id.
pub(crate) fn group(source: Source<'_>) -> Result<Vec<Entry<'_>>, Rejection> {
    let Source { event, properties, config, .. } = source;
    let kind = config.group_type.as_deref().ok_or_else(|| {
        Rejection::skip("`group_type` is not configured: Amplitude has groups of a type, such as `company`")
    })?;
    let id = properties::id(properties, "groupId").ok_or_else(|| Rejection::invalid("group without groupId"))?;
    let group = Groups(kind, id);
    let mut joins = entry::new("$identify", source)?;
    let set = Set { traits: None, clicks: &[], group: Some(group.clone()) };
    let set_once = Clicks { clicks: &[], prefix: "" };
    joins.user_properties = Some(UserProperties::Operations(Operations { set, set_once }));
    joins.groups = Some(group.clone());
    let mut entries = vec![joins];
    if has_traits(properties) {
        let mut known = entry::new("$groupidentify", source)?;
        known.insert_id = Cow::Owned([&event.id, ":group"].concat());
        known.groups = Some(group);
        known.group_properties = Some(group_properties(properties));
        entries.push(known);
    }
    Ok(entries)
}

fn group_properties<'a>(traits: &'a Properties<'a>) -> GroupProperties<'a> {
    GroupProperties { set: Set { traits: Some(traits), clicks: &[], group: None } }
}
