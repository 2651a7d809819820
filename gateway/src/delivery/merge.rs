//! Merge: requests that are equal in all but their array become one, up to the manifest's limits.
//!
//! Bodies are joined as text: the same plugin writes the same bytes around its array, so nothing has to be parsed twice.

use std::collections::HashMap;

use tidegate_plugin_sdk::manifest::{Batch, Join, open_array};
use tidegate_queue::Lease;

use crate::ledger::Origin;
use crate::record::RequestRecord;
use crate::withdrawal::Who;

/// A leased delivery, read.
#[derive(Debug)]
pub struct Load {
    pub lease: Lease,
    /// When its event happened.
    pub at_ms: u64,
    /// Which of its event's requests it is.
    pub index: u32,
    pub origin: Origin,
    pub request: RequestRecord,
    /// Whose it is. Where they have withdrawn something, the lease's payload is kept: that may go by what is in it.
    pub who: Option<Who>,
}

/// One HTTP request to make, and the deliveries that it makes.
#[derive(Debug)]
pub struct Parcel {
    /// The request without its body.
    pub request: RequestRecord,
    pub body: Vec<u8>,
    /// In the order of their places in the body.
    pub parts: Vec<Part>,
}

/// One delivery's part in a parcel.
#[derive(Debug)]
pub struct Part {
    pub lease: Lease,
    pub at_ms: u64,
    pub index: u32,
    pub origin: Origin,
    pub who: Option<Who>,
}

/// Merges loads into parcels.
pub fn merge(batch: &Batch, loads: Vec<Load>) -> Vec<Parcel> {
    let mut parcels: Vec<Parcel> = Vec::new();
    let mut open: HashMap<GroupKey, usize> = HashMap::new();
    for load in loads {
        let Load { lease, at_ms, index, origin, mut request, who } = load;
        let body = std::mem::replace(&mut request.body, crate::record::Body::Text(String::new())).into_bytes();
        let part = Part { lease, at_ms, index, origin, who };
        let places = places(batch.join_to(&request.endpoint), &body);
        let key = places.as_ref().map(|places| group_key(&request, &body, places));
        let target = key.as_ref().and_then(|key| open.get(key)).map(|index| &mut parcels[*index]);
        match (target, places) {
            (Some(parcel), Some(places)) if fits(batch, parcel, &body) => {
                append(&mut parcel.body, &body, &places);
                parcel.parts.push(part);
            }
            _ => {
                if let Some(key) = key {
                    open.insert(key, parcels.len());
                }
                parcels.push(Parcel { request, body, parts: vec![part] });
            }
        }
    }
    parcels
}

/// So many are sent singly at once; more are halved, and the half that is refused again, so that one bad event among a
/// thousand costs some twenty requests.
const SINGLY_MAX: usize = 8;

impl Parcel {
    /// The same deliveries in smaller parcels, as if they had been merged so: two, or one each where they are few.
    ///
    /// # Errors
    /// The parcel as it was, when its body does not have a part for each.
    pub fn split(self, join: &Join) -> Result<Vec<Parcel>, Box<Parcel>> {
        let bodies = singles(join, &self.body);
        if bodies.len() != self.parts.len() {
            return Err(Box::new(self));
        }
        let size = if bodies.len() > SINGLY_MAX { bodies.len().div_ceil(2) } else { 1 };
        let Parcel { request, body: _, parts } = self;
        let mut parcels: Vec<Parcel> = Vec::new();
        for (part, body) in parts.into_iter().zip(bodies) {
            match (parcels.last_mut().filter(|parcel| parcel.parts.len() < size), places(join, &body)) {
                (Some(parcel), Some(places)) => {
                    append(&mut parcel.body, &body, &places);
                    parcel.parts.push(part);
                }
                _ => parcels.push(Parcel { request: request.clone(), body, parts: vec![part] }),
            }
        }
        Ok(parcels)
    }
}

/// The bodies that were joined to this one.
fn singles(join: &Join, body: &[u8]) -> Vec<Vec<u8>> {
    match join {
        Join::None => vec![body.to_vec()],
        Join::Ndjson => body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect(),
        Join::JsonArray(pointer) => {
            let Some(opened) = open_array(body, pointer) else { return Vec::new() };
            let around = |element: &str| [opened.before, element.as_bytes(), opened.after].concat();
            opened.elements().unwrap_or_default().into_iter().map(|element| around(element.get())).collect()
        }
    }
}

/// What requests of one parcel have in common.
#[derive(PartialEq, Eq, Hash)]
struct GroupKey {
    endpoint: String,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    around: Vec<u8>,
}

/// Where a body may be joined with others.
enum Places {
    /// Between these places is what stands inside its array.
    Array(std::ops::Range<usize>),
    /// At its end.
    Line,
}

fn places(join: &Join, body: &[u8]) -> Option<Places> {
    match join {
        Join::None => None,
        Join::Ndjson => Some(Places::Line),
        Join::JsonArray(pointer) => {
            let opened = open_array(body, pointer)?;
            let start = opened.before.len();
            Some(Places::Array(start..start + opened.inside.len()))
        }
    }
}

fn group_key(request: &RequestRecord, body: &[u8], places: &Places) -> GroupKey {
    let around = match places {
        Places::Line => Vec::new(),
        Places::Array(inside) => [&body[..inside.start], &[0], &body[inside.end..]].concat(),
    };
    let RequestRecord { endpoint, path, query, headers, body: _ } = request.clone();
    GroupKey { endpoint, path, query, headers, around }
}

fn fits(batch: &Batch, parcel: &Parcel, body: &[u8]) -> bool {
    let events = parcel.parts.len() < batch.events_max as usize;
    events && (parcel.body.len() + body.len() + 1) as u64 <= batch.body_max.0
}

fn append(body: &mut Vec<u8>, other: &[u8], places: &Places) {
    match places {
        Places::Line => {
            if body.last() != Some(&b'\n') {
                body.push(b'\n');
            }
            body.extend_from_slice(other);
        }
        Places::Array(inside) => {
            // Both are of one group, so what stands behind the array is the same in each.
            let after = &other[inside.end..];
            body.truncate(body.len() - after.len());
            body.push(b',');
            body.extend_from_slice(&other[inside.clone()]);
            body.extend_from_slice(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Size;
    use tidegate_queue::{DeliveryKey, EntryKey, LeaseToken};

    use super::*;
    use crate::record::Body;

    fn load(n: u8, body: &str, query: &str) -> Load {
        let lease = Lease {
            key: DeliveryKey([n; 16]),
            token: LeaseToken(1),
            entry: EntryKey { scope: "s".into(), id: n.to_string() },
            payload: Vec::new(),
            attempts: 0,
            queued_ms: 0,
        };
        let request = RequestRecord {
            endpoint: "events".into(),
            path: vec![],
            query: vec![("q".into(), query.into())],
            headers: vec![],
            body: Body::Text(body.into()),
        };
        Load { lease, at_ms: 0, index: 0, origin: Origin::default(), request, who: None }
    }

    fn batch(join: Join, events_max: u32, bytes: u64) -> Batch {
        Batch { join, events_max, body_max: Size(bytes), ..Batch::default() }
    }

    fn bodies(parcels: &[Parcel]) -> Vec<&str> {
        parcels.iter().map(|parcel| std::str::from_utf8(&parcel.body).unwrap()).collect()
    }

    #[test]
    fn equal_requests_become_one_and_keep_their_order() {
        let data = batch(Join::JsonArray("/data".into()), 10, 1000);
        let loads = vec![
            load(1, r#"{"data":[{"a":"]1"}],"t":"x"}"#, "1"),
            load(2, r#"{"data":[{"a":2}],"t":"x"}"#, "1"),
            load(3, r#"{"data":[{"a":3}],"t":"OTHER"}"#, "1"),
            load(4, r#"{"data":[{"a":4}],"t":"x"}"#, "OTHER"),
            load(5, r#"{"data":[{"a":5}],"t":"x"}"#, "1"),
        ];
        let parcels = merge(&data, loads);
        assert_eq!(bodies(&parcels)[0], r#"{"data":[{"a":"]1"},{"a":2},{"a":5}],"t":"x"}"#);
        assert_eq!(parcels.len(), 3);
        assert_eq!(parcels[0].parts.iter().map(|p| p.lease.key.0[0]).collect::<Vec<_>>(), [1, 2, 5]);
    }

    #[test]
    fn a_parcel_keeps_the_manifests_limits() {
        let by_count = batch(Join::JsonArray(String::new()), 2, 1000);
        let loads = || (1..=3).map(|n| load(n, "[1]", "")).collect::<Vec<_>>();
        assert_eq!(bodies(&merge(&by_count, loads())), ["[1,1]", "[1]"]);
        let by_size = batch(Join::JsonArray(String::new()), 10, 7);
        assert_eq!(bodies(&merge(&by_size, loads())), ["[1,1]", "[1]"]);
    }

    #[test]
    fn lines_are_put_one_after_the_other() {
        let parcels = merge(&batch(Join::Ndjson, 10, 100), vec![load(1, "{}\n", ""), load(2, "{}", "")]);
        assert_eq!(bodies(&parcels), ["{}\n{}"]);
    }

    #[test]
    fn a_parcel_splits_into_what_it_was_made_of() {
        let join = Join::JsonArray("/d".into());
        let merged = merge(
            &batch(Join::JsonArray("/d".into()), 9, 99),
            vec![load(1, r#"{"d":[1]}"#, ""), load(2, r#"{"d":[2]}"#, "")],
        );
        let singles: Vec<Parcel> = merged.into_iter().flat_map(|parcel| parcel.split(&join).unwrap()).collect();
        assert_eq!(bodies(&singles), [r#"{"d":[1]}"#, r#"{"d":[2]}"#]);
    }

    /// How many requests it takes until the bad one of so many events stands alone, and all others are delivered.
    fn requests_to_find(bad: usize, events: usize, join: &Join, line: impl Fn(usize) -> String) -> usize {
        let loads = (0..events).map(|n| load(u8::try_from(n % 250).unwrap(), &line(n), "")).collect();
        let mut waiting = merge(&batch(join.clone(), 10_000, 1 << 20), loads);
        let mut requests = 0;
        while let Some(parcel) = waiting.pop() {
            requests += 1;
            let has_bad = String::from_utf8_lossy(&parcel.body).contains(&format!("\"n\":{bad}}}"));
            if has_bad && parcel.parts.len() > 1 {
                waiting.extend(parcel.split(join).unwrap());
            }
        }
        requests
    }

    #[test]
    fn a_bad_event_among_a_thousand_is_found_in_a_few_requests() {
        let array = Join::JsonArray("/d".into());
        assert_eq!(requests_to_find(1, 2, &array, |n| format!(r#"{{"d":[{{"n":{n}}}]}}"#)), 3);
        assert_eq!(requests_to_find(3, 8, &array, |n| format!(r#"{{"d":[{{"n":{n}}}]}}"#)), 9);
        assert_eq!(requests_to_find(700, 1000, &array, |n| format!(r#"{{"d":[{{"n":{n}}}]}}"#)), 23);
        assert_eq!(requests_to_find(700, 1000, &Join::Ndjson, |n| format!("{{\"n\":{n}}}")), 23);
    }

    #[test]
    fn halves_are_as_if_they_had_been_merged_so() {
        let join = Join::JsonArray("/d".into());
        let loads = (0..9).map(|n| load(n, &format!(r#"{{"a":1,"d":[{n}]}}"#), "")).collect();
        let whole = merge(&batch(join.clone(), 9, 999), loads).remove(0);
        let halves = whole.split(&join).unwrap();
        assert_eq!(bodies(&halves), [r#"{"a":1,"d":[0,1,2,3,4]}"#, r#"{"a":1,"d":[5,6,7,8]}"#]);
        let counts: Vec<usize> = halves.iter().map(|parcel| parcel.parts.len()).collect();
        assert_eq!(counts, [5, 4]);
        let lines = (0..9).map(|n| load(n, &format!("[{n}]\n"), "")).collect();
        let whole = merge(&batch(Join::Ndjson, 9, 999), lines).remove(0);
        assert_eq!(bodies(&whole.split(&Join::Ndjson).unwrap()), ["[0]\n[1]\n[2]\n[3]\n[4]", "[5]\n[6]\n[7]\n[8]"]);
    }
}
