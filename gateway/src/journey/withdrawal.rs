//! Withdrawal: what an event takes back is written on its visitor's profile, and all that the profile knew is forgotten.
//!
//! Only who may take it back does: the visitor that the cookie names, who knows an id of its own, or a backend with a
//! secret key. Cancels nothing itself: deliveries that wait are checked by what is written here before they leave.

use tidegate_event::{Consent, Event, Level, VisitorId};
use tidegate_queue::{ProfileField, ProfilePatch};

use super::profile::{Profile, Profiles, field, key};
use super::visit::{Authority, Visit};
use crate::withdrawal::{FIELD, Who, Withdrawals, Word, is_full};

/// Who takes something back, as the event named them before it was stripped.
#[derive(Debug, Clone)]
pub(super) struct Withdrawing {
    anonymous_id: Option<String>,
    /// Only from a sender that may speak for it.
    user_id: Option<String>,
    acquaintance: Acquaintance,
}

/// What is known of somebody of whom no profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acquaintance {
    /// Nothing: an id of the client's own.
    Stranger,
    /// The cookie was given with consent to analytics at least, of which no profile tells.
    Visitor,
    /// A backend knows its users, and what it has sent of them.
    Vouched,
}

/// Where an event's profiles are, and until when what is written there is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping<'a> {
    pub(super) site: &'a str,
    pub(super) expires_ms: u64,
}

impl Withdrawing {
    /// Who takes something back with an event that has not been stripped yet, if anybody does.
    pub(super) fn of(event: &Event, visit: &Visit) -> Option<Withdrawing> {
        if event.consent.level == Level::Marketing || Word::of(&event.consent) == Word::Default {
            return None;
        }
        let anonymous_id = event.anonymous_id.clone();
        match visit.authority {
            Authority::Everybody => {
                let user_id = event.user_id.clone();
                Some(Withdrawing { anonymous_id, user_id, acquaintance: Acquaintance::Vouched })
            }
            Authority::Itself => {
                let is = |visitor: VisitorId| anonymous_id.as_deref() == Some(&*visitor.to_string());
                let acquaintance = match visit.visitor {
                    // Also where the client counts by an id of its own, as Segment's do: it is the same browser.
                    Some(_) => Acquaintance::Visitor,
                    // An id that the gateway has just made is nobody's yet.
                    None if is(visit.visitor_new) => return None,
                    None => Acquaintance::Stranger,
                };
                anonymous_id.is_some().then_some(Withdrawing { anonymous_id, user_id: None, acquaintance })
            }
        }
    }
}

/// Writes a withdrawal on the profiles of who made it, once, and empties them. A visitor who never consented to more has
/// none, and gets none by saying so again.
pub(super) async fn withdraw(
    withdrawing: &Withdrawing,
    event: &Event,
    keeping: Keeping<'_>,
    profiles: &Profiles<'_>,
) -> Result<Vec<ProfilePatch>, tidegate_queue::Error> {
    let now_ms = event.received_ms;
    let at_ms = turn_ms(event, profiles.told);
    let mut patches = Vec::new();
    let mut patch = |key: String, fields: Vec<ProfileField>| {
        if !fields.is_empty() {
            patches.push(ProfilePatch { key, fields, expires_ms: keeping.expires_ms });
        }
    };
    let anonymous =
        withdrawing.anonymous_id.as_deref().map(|id| (key::anonymous(keeping.site, id), id, Kind::Anonymous));
    let user = withdrawing.user_id.as_deref().map(|id| (key::user(keeping.site, id), id, Kind::User));
    for (own, id, kind) in anonymous.into_iter().chain(user) {
        let profile = profiles.read(Some(&own), now_ms).await?;
        let (at_ms, written_ms) = (profile.after_ms(at_ms), profile.after_ms(now_ms));
        let may_have_consented = profile.is_known()
            || match withdrawing.acquaintance {
                Acquaintance::Stranger => false,
                Acquaintance::Visitor => event.consent.level == Level::None,
                Acquaintance::Vouched => true,
            };
        let next = match written(&profile) {
            Some(stored) => stored.after(event.consent, at_ms),
            None => may_have_consented.then(|| Withdrawals::first(event.consent, at_ms)),
        };
        if next.is_some() {
            // What the browser told of its user, or the user's browser of it, is joined from either side.
            let other = match kind {
                Kind::Anonymous => profile.user().map(|user| key::user(keeping.site, user)),
                Kind::User => profile.linked().map(|linked| key::anonymous(keeping.site, linked)),
            };
            let linked = profiles.read(other.as_deref(), now_ms).await?;
            let is_theirs = match kind {
                Kind::Anonymous => linked.linked() == Some(id),
                Kind::User => linked.user() == Some(id),
            };
            if let Some(other) = other.filter(|_| is_theirs) {
                patch(other, linked.emptied(now_ms));
            }
        }
        let mut fields = profile.emptied(now_ms);
        fields.extend(next.map(|next| field(FIELD, next.text(), written_ms)));
        patch(own, fields);
    }
    Ok(patches)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anonymous,
    User,
}

/// What an event at the marketing level leaves on a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    Nothing,
    Something,
}

/// What such an event leaves to be known for a withdrawal: nothing, for nearly all of them.
pub(super) fn noted(profile: &Profile, consent: Consent, now_ms: u64, leaves: Leaves) -> Option<ProfileField> {
    let text = match written(profile) {
        Some(stored) => stored.after(consent, now_ms)?.text(),
        // A purpose was refused, of somebody of whom all was known to be consented to.
        None if !is_full(&consent) && profile.is_known() && Word::of(&consent) == Word::Said => {
            Withdrawals::first(consent, now_ms).text()
        }
        None if !is_full(&consent) && profile.text(FIELD).is_none() => Withdrawals::begin(consent).text(),
        // A visitor of whom nothing is written could withdraw nothing.
        None if leaves == Leaves::Nothing && !profile.is_known() => String::new(),
        None => return None,
    };
    Some(field(FIELD, text, now_ms))
}

/// When an event arrived, told apart from the others of its request: each that changed what is consented to is a millisecond
/// earlier than those after it, so that a withdrawal holds for what came before it alone.
fn turn_ms(event: &Event, told: &[ProfilePatch]) -> u64 {
    let turns = told.iter().flat_map(|patch| &patch.fields).filter(|field| field.name == FIELD).count();
    event.received_ms.saturating_add(turns as u64)
}

/// Whose an event's deliveries are. `told` is what the events before it in its request leave.
pub(super) fn who(event: &Event, site: &str, told: &[ProfilePatch]) -> Option<Who> {
    let anonymous = event.anonymous_id.as_ref().map(|id| key::anonymous(site, id));
    let user = event.user_id.as_ref().map(|id| key::user(site, id));
    let profiles: Vec<String> = anonymous.into_iter().chain(user).collect();
    (!profiles.is_empty()).then(|| Who { received_ms: turn_ms(event, told), profiles })
}

/// What a profile says of withdrawals. What cannot be read is written anew.
fn written(profile: &Profile) -> Option<Withdrawals> {
    Withdrawals::read(profile.text(FIELD)?).ok().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_queue::sqlite::{Mode, Options};
    use tidegate_queue::{Limits, Queue as _, SqliteQueue};

    use super::*;

    #[tokio::test]
    async fn a_withdrawal_holds_though_the_clock_was_set_back_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { mode: Mode::Serve, limits: Limits::overall(10) };
        let queue = SqliteQueue::open(dir.path().join("q.db"), options).unwrap();
        let bought = field("client", json!({ "ip": "203.0.113.7" }).to_string(), 10_000);
        let told = [ProfilePatch { key: key::anonymous("shop", "a"), fields: vec![bought], expires_ms: u64::MAX }];
        let event: Event = serde_json::from_value(json!({
            "id": "e", "name": "consent_updated", "kind": "track", "at_ms": 4_000, "received_ms": 4_000,
            "anonymous_id": "a", "consent": { "level": "none", "granted": [], "denied": [], "gpc": false,
                "limited_data_use": false, "signal": "event" },
        }))
        .unwrap();
        let withdrawing =
            Withdrawing { anonymous_id: Some("a".into()), user_id: None, acquaintance: Acquaintance::Visitor };
        let keeping = Keeping { site: "shop", expires_ms: u64::MAX };
        let profiles = Profiles { queue: &queue, told: &told };
        let patches = withdraw(&withdrawing, &event, keeping, &profiles).await.unwrap();
        let fields: Vec<&ProfileField> = patches.iter().flat_map(|patch| &patch.fields).collect();
        let named = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!((named("client").value.as_str(), named("client").seen_ms), ("", 10_000));
        let withdrawals = Withdrawals::read(&named(FIELD).value).unwrap().unwrap();
        assert_eq!((withdrawals.since(10_000).count(), named(FIELD).seen_ms), (1, 10_000));
        queue.close().await.unwrap();
    }
}
