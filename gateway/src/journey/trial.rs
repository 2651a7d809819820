//! A trial: one event through the stages to one destination, as far as the requests that its plugin makes of it.
//!
//! The stages are the journey's own. Stores nothing, joins no profile, and asks no switch: whoever tries a destination
//! out may have switched it off for that.

use std::sync::Arc;

use tidegate_consent::Signals;
use tidegate_event::{EventId, VisitorId};
use tidegate_queue::NewState;
use tidegate_sandbox::{Plugin, contract};

use super::consent::{self, Consented, Deciding};
use super::decode::{self, FieldError};
use super::transform::{self, Moment, Routed};
use super::visit::{Authority, Lasts, Sender, Visit};
use super::{Protocol, fan_out, identify, validate};
use crate::clock::Clock;
use crate::config::Site;
use crate::destination::Destination;
use crate::ledger::Origin;
use crate::record::{self, RequestRecord, ToSend};
use crate::switch::Switches;

/// Why no request is made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It does not go there: the consent does not cover it, or the plugin has no use for it.
    Dropped(String),
    /// The plugin refuses it, or fails.
    Refused(String),
}

/// Takes an event, as a backend would post it to `/v1/events`, through the stages up to its consent.
///
/// # Errors
/// When it would be refused.
pub fn event(body: &[u8], site: &Site, clock: &dyn Clock) -> Result<Consented, FieldError> {
    let envelope = decode::open(body, Protocol::Own)?;
    let [raw] = envelope.events.as_slice() else {
        let found = format!("{} of them", envelope.events.len());
        return Err(FieldError { field: "events".into(), expected: "one event", found });
    };
    let visit = visit(clock);
    let draft = envelope.draft(raw, Protocol::Own)?;
    let id = draft.id.clone().unwrap_or_else(|| EventId::from(clock.new_id()));
    let validated = validate::validate(identify::identify(draft, &visit, &site.click_aliases), &visit)?;
    let deciding = Deciding { rules: &site.consent, geo: None };
    Ok(consent::consent(validated, id, &visit, deciding))
}

/// The event as a plugin is given it.
pub fn seen_by(plugin: &Plugin, consented: &Consented) -> contract::Event {
    plugin.projection().apply(&consented.event)
}

/// The requests that a destination's plugin makes of an event, as the queue would hold them, each with what the ledger
/// tells of it.
///
/// # Errors
/// Why there are none.
pub async fn requests(
    consented: &Consented,
    destination: &Arc<Destination>,
    clock: &dyn Clock,
) -> Result<Vec<(RequestRecord, Origin)>, Obstacle> {
    let event = &consented.event;
    let moment = Moment {
        at_ms: event.at_ms,
        received_ms: event.received_ms,
        seed: transform::seed(&event.id),
        consent: event.consent,
        who: None,
    };
    let routes = fan_out::fan_out(consented, std::slice::from_ref(destination), &Switches::default());
    let made = transform::transform(vec![((), Routed { routes, moment })], clock).await;
    if let Some(dropped) = made.iter().flat_map(|(_, made)| &made.dropped).next() {
        return Err(Obstacle::Dropped(dropped.reason.clone()));
    }
    let mut requests = Vec::new();
    for delivery in made.into_iter().flat_map(|(_, made)| made.deliveries) {
        if let NewState::Dead(reason) = delivery.state {
            return Err(Obstacle::Refused(reason));
        }
        let stored = record::read::<ToSend<'_>>(&delivery.payload).map_err(|e| Obstacle::Refused(e.to_string()))?;
        let origin = Origin::of(&stored);
        requests.extend(stored.request.map(|request| (request, origin)));
    }
    Ok(requests)
}

impl Consented {
    /// The event's id and its canonical name.
    pub fn id_and_name(&self) -> (&str, &str) {
        (self.event.id.as_str(), &self.event.name)
    }
}

/// A backend's request now, with nothing of its own to say.
fn visit(clock: &dyn Clock) -> Visit {
    Visit {
        sender: Sender::Backend,
        authority: Authority::Everybody,
        visitor: None,
        visitor_new: VisitorId(clock.new_id()),
        lasts: Lasts::ForGood,
        clicks: Vec::new(),
        cookies: Vec::new(),
        signals: Signals::default(),
        ip: None,
        user_agent: None,
        locale: None,
        referrer: None,
        idempotency_key: None,
        received_ms: clock.now_ms(),
        id_seed: clock.new_id(),
    }
}
