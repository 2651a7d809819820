//! Asks again for consent before anything leaves: whether the visitor has withdrawn what a delivery relies on since its
//! event arrived.
//!
//! What arrived a moment ago and is tried for the first time is on its way and is not asked about, so that nothing is read
//! for a delivery that leaves at once. Neither writes nor knows how withdrawals come about.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Map, Value};
use tidegate_event::{Level, Withheld};
use tidegate_queue::{Attempt, Lease, Outcome};
use tidegate_sandbox::contract::{Event, EventKind};

use super::merge::{Load, Parcel};
use super::work::Working;
use super::worker::STORE_PAUSE_MS;
use crate::causes::chain;
use crate::destination::Destination;
use crate::record::{self, AttemptRecord, DeliveryRecord};
use crate::withdrawal::{FIELD, Who, Withdrawal, Withdrawals, covers};

/// What arrived less long ago is on its way: a withdrawal that comes then comes too late.
const MOMENT_MS: u64 = 1_000;
/// How many profiles one reading asks for.
const PROFILES_MAX: usize = 256;

/// A delivery that has been read, and what keeps it from being sent even if its visitor does not.
pub(super) struct Ready {
    pub(super) load: Load,
    pub(super) obstacle: Option<String>,
}

/// One delivery that is asked about.
#[derive(Clone, Copy)]
struct Subject<'a> {
    who: &'a Who,
    lease: &'a Lease,
}

/// What the profiles say, by their keys; only those that say something.
type Fields = HashMap<String, Result<Withdrawals, record::Error>>;

impl Working {
    /// Parts what may leave from what has its outcome; `None` when the worker was halted before the store answered.
    pub(super) async fn ask(&self, ready: Vec<Ready>) -> Option<(Vec<Load>, Vec<Attempt>)> {
        let asked = self.subjects(ready.iter().map(|one| (&one.load.who, &one.load.lease)));
        let fields = self.fields(&asked).await?;
        let (mut loads, mut ended) = (Vec::with_capacity(ready.len()), Vec::new());
        for Ready { mut load, obstacle } in ready {
            let subject = load.who.as_ref().map(|who| Subject { who, lease: &load.lease });
            let withdrawn = subject.and_then(|one| verdict(&self.destination, &fields, one));
            if let Some(outcome) = withdrawn.or(obstacle.map(Outcome::Dead)) {
                ended.push(self.unsent(&load.lease, outcome));
                continue;
            }
            // Only where somebody has withdrawn something what it carries is looked at again: the others free the memory.
            let has_word = load.who.iter().flat_map(|who| &who.profiles).any(|key| fields.contains_key(key));
            if !has_word {
                load.lease.payload = Vec::new();
            }
            loads.push(load);
        }
        Some((loads, ended))
    }

    /// Whether a parcel that was asked about at a time may leave still. What has waited for a slot, or for the ledger, is
    /// asked about once more. A withdrawal that has come meanwhile keeps it, whatever it carries: leased anew, it is judged.
    pub(super) async fn may_leave(&self, parcel: &Parcel, asked_ms: u64) -> bool {
        if self.clock.steady_ms().saturating_sub(asked_ms) <= MOMENT_MS {
            return true;
        }
        let asked = self.subjects(parcel.parts.iter().map(|part| (&part.who, &part.lease)));
        match self.fields(&asked).await {
            Some(fields) => asked.into_iter().all(|one| verdict(&self.destination, &fields, one).is_none()),
            None => false,
        }
    }

    /// The outcome of a delivery that is not sent, with what the journal keeps of it.
    pub(super) fn unsent(&self, lease: &Lease, outcome: Outcome) -> Attempt {
        let now_ms = self.clock.now_ms();
        let reason = match &outcome {
            Outcome::Dead(reason) | Outcome::Cancelled(reason) => reason.as_str(),
            Outcome::Delivered | Outcome::Retry(_) => "",
        };
        let record = AttemptRecord {
            v: record::VERSION,
            at_ms: now_ms,
            duration_ms: 0,
            status: None,
            verdict: format!("not sent: {reason}"),
            answer: None,
            events: 1,
        };
        self.state.count(&outcome, now_ms);
        Attempt {
            key: lease.key,
            token: lease.token,
            record: record::write(&record),
            at_ms: now_ms,
            now_ms: self.clock.steady_ms(),
            outcome,
        }
    }

    /// Those that arrived long enough ago to be asked about, or were tried before.
    fn subjects<'a>(&self, all: impl Iterator<Item = (&'a Option<Who>, &'a Lease)>) -> Vec<Subject<'a>> {
        let now_ms = self.clock.now_ms();
        let known = all.filter_map(|(who, lease)| Some(Subject { who: who.as_ref()?, lease }));
        // Also what arrived later than now: then somebody has set the clock.
        known.filter(|one| one.lease.attempts > 0 || now_ms.abs_diff(one.who.received_ms) > MOMENT_MS).collect()
    }

    /// Reads what their profiles say, each once. While the store cannot tell, nothing leaves: it is asked until it can.
    async fn fields(&self, asked: &[Subject<'_>]) -> Option<Fields> {
        let keys: BTreeSet<&String> = asked.iter().flat_map(|one| &one.who.profiles).collect();
        let keys: Vec<String> = keys.into_iter().cloned().collect();
        let mut fields = HashMap::new();
        for keys in keys.chunks(PROFILES_MAX) {
            let read = tokio::select! {
                read = self.read(keys) => read,
                () = self.halted() => return None,
            };
            for (key, text) in keys.iter().zip(read) {
                match text.as_deref().map(Withdrawals::read).transpose() {
                    Ok(Some(Some(withdrawals))) => drop(fields.insert(key.clone(), Ok(withdrawals))),
                    Ok(_) => {}
                    Err(error) => drop(fields.insert(key.clone(), Err(error))),
                }
            }
        }
        Some(fields)
    }

    async fn read(&self, keys: &[String]) -> Vec<Option<String>> {
        let mut has_complained = false;
        loop {
            match self.queue.profile_field(FIELD, keys.to_vec(), self.clock.now_ms()).await {
                Ok(fields) => return fields.into_iter().map(|field| Some(field?.value)).collect(),
                Err(error) if !has_complained => {
                    has_complained = true;
                    let name = &self.destination.name;
                    let why = chain(&error);
                    tracing::warn!(
                        destination.name = %name,
                        "could not ask whether consent was withdrawn, so nothing leaves for `{name}`: {why}"
                    );
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(STORE_PAUSE_MS)).await;
        }
    }
}

/// What a delivery comes to by what its profiles say; `None` where it may leave.
fn verdict(destination: &Destination, fields: &Fields, one: Subject<'_>) -> Option<Outcome> {
    one.who.profiles.iter().filter_map(|key| fields.get(key)).find_map(|field| match field {
        Ok(withdrawals) => {
            let mut since = withdrawals.since(one.who.received_ms);
            let (withdrawal, obstacle) =
                since.find_map(|one_of| Some((one_of, obstacle(destination, one_of, one.lease)?)))?;
            let at = i64::try_from(withdrawal.at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
            let at = at.map_or_else(String::new, |at| format!(" at {at:.3}"));
            Some(Outcome::Cancelled(format!("the visitor withdrew consent{at}: {obstacle}")))
        }
        // A person can mend that, and replay it.
        Err(error) => Some(Outcome::Dead(format!("the visitor's stored withdrawal of consent {error}"))),
    })
}

/// What of a delivery a withdrawal takes back: nothing, where it relied on no more than is left.
fn obstacle(destination: &Destination, withdrawal: &Withdrawal, lease: &Lease) -> Option<String> {
    let consent = &withdrawal.consent;
    let stored = record::read::<DeliveryRecord>(&lease.payload).ok();
    if stored.as_ref().is_some_and(|stored| covers(consent, &stored.consent)) {
        return None;
    }
    let carried = || {
        if consent.level == Level::Marketing {
            return None;
        }
        let saw = stored.as_ref().and_then(|stored| serde_json::from_str::<Event>(stored.saw.get()).ok());
        let beyond = saw.map_or(Some("what cannot be read"), |saw| beyond(&saw, consent.level))?;
        Some(format!("consent `{}` does not cover {beyond}, which it carries", consent.level.as_str()))
    };
    destination.consent_obstacle(consent).or_else(carried)
}

/// What a plugin saw beyond what a level lets it see. It may be in the request that was made of it.
fn beyond(saw: &Event, level: Level) -> Option<&'static str> {
    let withheld = Withheld::at(level);
    let changes = |url: &Option<String>| url.as_ref().is_some_and(|url| withheld.strip_url(url.clone()) != *url);
    let is_personal = |text: &str| match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(properties) => *withheld.strip_properties(&properties) != properties,
        Err(_) => !text.is_empty(),
    };
    let tells_who = matches!(saw.kind, EventKind::Identify | EventKind::Alias);
    let found = [
        (withheld == Withheld::All, "anything"),
        (!saw.identifiers.is_empty() || saw.user_id.is_some(), "identifiers"),
        (!saw.clicks.is_empty(), "click IDs"),
        (saw.cookies.iter().any(|(name, _)| !withheld.lets_cookie(name)), "advertising cookies"),
        (saw.client.as_ref().is_some_and(|client| client.ip.is_some()), "the IP address"),
        (saw.page.as_ref().is_some_and(|page| changes(&page.url) || changes(&page.referrer)), "click IDs in addresses"),
        (tells_who && !matches!(saw.properties.as_str(), "" | "{}"), "a person's traits"),
        (is_personal(&saw.properties), "personal properties"),
        (saw.items.iter().any(|item| is_personal(&item.properties)), "personal properties of items"),
    ];
    if withheld == Withheld::Nothing {
        return None;
    }
    found.into_iter().find_map(|(is_there, what)| is_there.then_some(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn saw(change: impl FnOnce(&mut Value)) -> Event {
        let mut event = json!({
            "id": "e", "name": "purchase", "kind": "Track", "at_ms": 1, "received_ms": 2,
            "anonymous_id": "a", "user_id": null, "identifiers": [], "clicks": [], "cookies": [["_ga", "GA1.1.1.1"]],
            "page": { "url": "https://a/p?utm_source=x", "path": null, "title": "T", "referrer": null },
            "client": { "ip": null, "user_agent": "UA", "locale": null, "region": null },
            "session": null,
            "consent": { "analytics": null, "granted": [], "denied": [], "gpc": false, "limited_data_use": false },
            "value": 1.5, "currency": "EUR", "order_id": "o", "items": [], "properties": "{\"coupon\":\"W\"}",
        });
        change(&mut event);
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn analytics_covers_what_was_bought_and_no_identifier() {
        let level = Level::Analytics;
        assert_eq!(beyond(&saw(|_| {}), level), None);
        assert_eq!(beyond(&saw(|event| event["user_id"] = json!("u")), level), Some("identifiers"));
        assert_eq!(
            beyond(&saw(|event| event["cookies"] = json!([["_fbp", "fb.1"]])), level),
            Some("advertising cookies")
        );
        assert_eq!(beyond(&saw(|event| event["client"]["ip"] = json!("203.0.113.7")), level), Some("the IP address"));
        let url = json!("https://a/p?gclid=Cj0K");
        assert_eq!(beyond(&saw(|event| event["page"]["url"] = url.clone()), level), Some("click IDs in addresses"));
        let email = json!("{\"nested\":{\"Email\":\"ada@example.com\"}}");
        assert_eq!(beyond(&saw(|event| event["properties"] = email.clone()), level), Some("personal properties"));
        assert_eq!(beyond(&saw(|event| event["kind"] = json!("Identify")), level), Some("a person's traits"));
        assert_eq!(beyond(&saw(|event| event["user_id"] = json!("u")), Level::Marketing), None);
        assert_eq!(beyond(&saw(|_| {}), Level::None), Some("anything"));
    }
}
