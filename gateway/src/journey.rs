//! An event's journey, from a request's body to the durable commit: one stage a file, in this order.
//!
//! decode → identify → validate → consent → profile → fan_out → transform → enqueue
//!
//! A stage's type is its proof: nothing is stored for a destination that has not passed through [`consent`], because
//! only a [`consent::Consented`] can be fanned out. Knows nothing of HTTP; the listener makes a [`visit::Visit`] of it.

pub mod consent;
pub mod decode;
pub mod enqueue;
pub mod fan_out;
pub mod identify;
pub mod intake;
mod names;
pub mod profile;
pub mod transform;
pub mod trial;
pub mod validate;
pub mod visit;
mod withdrawal;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tidegate_consent::Geo;
use tidegate_consent::cookie::Stored;
use tidegate_event::{ClickId, Consent, EventId, Kind, VisitorId};
use tidegate_identity::answer::{Standing, Turn};
use tidegate_identity::visitor::Found;
use tidegate_queue::{Appended, Entry, ProfilePatch};
use uuid::Uuid;

use self::consent::{Consented, Deciding, Now};
use self::decode::{Envelope, FieldError};
use self::intake::Intake;
use self::profile::{Lifetime, Profiles};
use self::transform::{Moment, Routed};
use self::visit::{Sender, Visit};
use crate::clock::Clock;
use crate::config::Site;
use crate::destination::Destinations;
use crate::switch::Switches;

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /v1/events`.
    Own,
    /// `POST /v1/track` and its siblings.
    Segment(Kind),
    /// `POST /v1/batch`.
    SegmentBatch,
}

/// A site with what its events pass through.
#[derive(Debug)]
pub struct Route {
    pub site: Site,
    pub destinations: Destinations,
}

/// What the stages need from outside.
pub struct Journey {
    pub intake: Intake,
    pub clock: Arc<dyn Clock>,
    pub profile_ms: u64,
    pub switches: Switches,
    /// Where addresses are, if a database is configured.
    pub geo: Option<Arc<Geo>>,
}

/// A request's events on their way in.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    pub envelope: &'a Envelope,
    pub protocol: Protocol,
    pub route: &'a Route,
    pub visit: &'a Visit,
}

/// What became of one event of a request.
#[derive(Debug)]
pub struct Arrival {
    pub id: EventId,
    pub result: Result<Appended, FieldError>,
}

/// What became of one event in the stages before its plugins.
enum Passed {
    /// It is refused; this is what is kept of it.
    Refused(Entry),
    Ready(Box<Ready>),
}

/// An event that is ready for the plugins.
struct Ready {
    consented: Consented,
    patches: Vec<ProfilePatch>,
    routed: Routed,
}

/// What became of a whole request.
#[derive(Debug)]
pub struct Arrivals {
    pub events: Vec<Arrival>,
    /// What the browser may be given: absent where nothing was accepted, or a backend sent it.
    pub identity: Option<Identity>,
}

/// What a browser's consent allows it to be given.
#[derive(Debug, Clone)]
pub struct Identity {
    pub visitor: VisitorId,
    /// What the visitor told last, by the request's events or before; of several that nobody knows the order of, the most
    /// restrictive.
    pub consent: Consent,
    /// When it was told, in Unix milliseconds.
    pub told_at_ms: Option<u64>,
    /// The click IDs of the request's events, where the level allows them.
    pub clicks: Vec<ClickId>,
    /// What our own consent cookie is to keep, and when it was told, in Unix milliseconds: the last that an event told.
    pub told: Option<(u64, Stored)>,
}

impl Journey {
    /// Takes a request's events through the stages; resolves after all that can be stored is durable. One event's
    /// failing does not keep the others.
    ///
    /// # Errors
    /// When the store does not take them: then the request is to be sent again, which is safe for events with an id.
    pub async fn take(&self, post: Post<'_>) -> Result<Arrivals, tidegate_queue::Error> {
        let mut identity = None;
        let mut arrivals = Vec::with_capacity(post.envelope.events.len());
        let mut passed = Vec::with_capacity(post.envelope.events.len());
        let mut told = Vec::new();
        for index in 0..post.envelope.events.len() {
            let (arrival, event) = self.one(&post, index, &mut identity, &told).await?;
            if let Passed::Ready(ready) = &event {
                told.extend(ready.patches.iter().cloned());
            }
            arrivals.push(arrival);
            passed.push(event);
        }
        let appended = self.intake.append(self.entries(passed, &post.route.site).await).await?;
        for (arrival, appended) in arrivals.iter_mut().zip(appended) {
            if let Ok(result) = &mut arrival.result {
                *result = appended;
            }
        }
        Ok(Arrivals { events: arrivals, identity })
    }

    /// Transforms the events of a request together, and makes of each what is stored; in their order.
    async fn entries(&self, passed: Vec<Passed>, site: &Site) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(passed.len());
        let mut ready = Vec::with_capacity(passed.len());
        for (at, event) in passed.into_iter().enumerate() {
            match event {
                Passed::Refused(entry) => entries.push((at, entry)),
                Passed::Ready(event) => {
                    let Ready { consented, patches, routed } = *event;
                    ready.push(((at, consented, patches), routed));
                }
            }
        }
        for ((at, consented, patches), made) in transform::transform(ready, self.clock.as_ref()).await {
            entries.push((at, enqueue::entry(consented, made, patches, &site.name)));
        }
        entries.sort_by_key(|(at, _)| *at);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// One event through the stages before its plugins.
    async fn one(
        &self,
        post: &Post<'_>,
        index: usize,
        identity: &mut Option<Identity>,
        told: &[ProfilePatch],
    ) -> Result<(Arrival, Passed), tidegate_queue::Error> {
        let Post { envelope, protocol, route, visit } = *post;
        let site = route.site.name.as_str();
        let raw = &envelope.events[index];
        let draft = envelope.draft(raw, protocol);
        let id = event_id(draft.as_ref().ok().and_then(|draft| draft.id.clone()), post, index);
        let validated =
            draft.map(|draft| identify::identify(draft, visit, &route.site.click_aliases)).and_then(|identified| {
                let visitor = identified.visitor;
                Ok((validate::validate(identified, visit)?, visitor))
            });
        let (validated, visitor) = match validated {
            Ok(validated) => validated,
            Err(error) => {
                let name = raw.get("event").and_then(serde_json::Value::as_str).unwrap_or_default();
                let entry = enqueue::refused(id.as_str(), name, &error.without_value(), site, visit.received_ms);
                return Ok((Arrival { id, result: Err(error) }, Passed::Refused(entry)));
            }
        };
        let deciding = Deciding { rules: &route.site.consent, geo: self.geo.as_deref() };
        let mut consented = consent::consent(validated, id.clone(), visit, deciding);
        if let Some(visitor) = visitor.filter(|_| visit.sender == Sender::Browser) {
            note_identity(identity, visitor, &consented);
        }
        let profiles = Profiles { queue: self.intake.queue(), told };
        let oldest_ms = route.destinations.iter().map(|destination| destination.age_max_ms).max().unwrap_or(0);
        let lifetime = Lifetime { profile_ms: self.profile_ms, withdrawal_ms: self.profile_ms.max(oldest_ms) };
        let joining = profile::join(&mut consented, site, visit.sender, lifetime, profiles);
        let patches = self.intake.in_time("read the profile", joining).await?;
        if let Some(identity) = identity {
            identity.remember(&consented);
        }
        let routes = fan_out::fan_out(&consented, &route.destinations, &self.switches);
        let moment = Moment {
            at_ms: consented.event.at_ms,
            received_ms: visit.received_ms,
            seed: transform::seed(&id),
            consent: consented.event.consent,
            who: withdrawal::who(&consented.event, site, told).map(Arc::new),
        };
        let ready = Ready { consented, patches, routed: Routed { routes, moment } };
        Ok((Arrival { id, result: Ok(Appended::Stored) }, Passed::Ready(Box::new(ready))))
    }
}

impl Identity {
    /// What the browser's cookies go by. A visitor whom we know, and who says so much and no more, has withdrawn the rest;
    /// a default is said by nobody.
    pub fn standing(&self, found: Found) -> Standing {
        let Consent { level, granted, signal, .. } = self.consent;
        let is_said = !signal.is_default() && matches!(found, Found::Visitor(_));
        Standing { level, granted, turn: if is_said { Turn::Withdrawn } else { Turn::Steady } }
    }

    /// Clicks that the profile knows already keep their first time, also where the browser has lost its cookie.
    fn remember(&mut self, joined: &consent::Consented) {
        let same = |click: &&ClickId| self.clicks.iter().any(|own| own.kind == click.kind && own.value == click.value);
        let known: Vec<ClickId> = joined.event.clicks.iter().filter(same).cloned().collect();
        tidegate_event::clicks_merge(&mut self.clicks, known);
    }
}

fn note_identity(identity: &mut Option<Identity>, visitor: VisitorId, consented: &consent::Consented) {
    let Now { consent, told_at_ms } = consented.now;
    let identity = identity.get_or_insert(Identity { visitor, consent, told_at_ms, clicks: Vec::new(), told: None });
    let (level, known) = (consent.level, identity.consent);
    let counts = match (told_at_ms, identity.told_at_ms) {
        (Some(this), Some(that)) if this != that => this > that,
        // Of two events at one level that counts which the visitor decided.
        _ => level < known.level || level == known.level && known.signal.is_default(),
    };
    if counts {
        (identity.consent, identity.told_at_ms) = (consent, told_at_ms);
    }
    // Of two that were told at the same time the more restrictive one holds.
    let later = |(at_ms, stored): &(u64, Stored)| (*at_ms, std::cmp::Reverse(stored.level));
    let told = consented.told.map(|stored| (consented.event.at_ms, stored));
    identity.told = identity.told.into_iter().chain(told).max_by_key(later);
    tidegate_event::clicks_merge(&mut identity.clicks, consented.event.clicks.iter().cloned());
}

/// The client's id; else one made of the request's `Idempotency-Key`, so that sending the request again is safe; else
/// a new one.
fn event_id(own: Option<EventId>, post: &Post<'_>, index: usize) -> EventId {
    // An event that could not be decoded is still told by its id, if that much can be read.
    let raw = &post.envelope.events[index];
    let readable = || ["message_id", "messageId"].iter().find_map(|name| EventId::parse(raw.get(name)?.as_str()?).ok());
    let keyed = || {
        let key = post.visit.idempotency_key.as_deref().filter(|key| !key.is_empty())?;
        Some(keyed_id(&match post.envelope.shape {
            decode::Shape::One => key.to_owned(),
            decode::Shape::Many => format!("{key}.{index}"),
        }))
    };
    own.or_else(readable).or_else(keyed).unwrap_or_else(|| EventId::from(nth(post.visit.id_seed, index)))
}

/// The key itself; one that is no id, for its length, is told apart by its digest.
fn keyed_id(key: &str) -> EventId {
    EventId::parse(key).unwrap_or_else(|_| {
        let digest = Sha256::digest(key);
        EventId::from(Uuid::from_u128(digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))))
    })
}

/// One id for each event of a request, from the request's own.
fn nth(seed: Uuid, index: usize) -> Uuid {
    Uuid::from_u128(seed.as_u128().wrapping_add(index as u128))
}
