//! What entries and deliveries are in the store: MessagePack, which scripts read and write too. The numbers of the
//! fields are those of `scripts/prelude.lua`.

use std::io::Cursor;

use rmp::Marker;
use rmp::{decode, encode};

use crate::{Attempt, DeliveryKey, Entry, NewDelivery, NewState, ProfileField, StoredDelivery, StoredState};

/// Lua counts in doubles: a later time than this could not be told from its neighbours.
const TIME_MAX: u64 = (1 << 53) - 1;

/// Making an entry takes a moment.
const MOMENT_MS: u64 = 1_000;

/// A delivery's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    pub reference: Vec<u8>,
    pub destination: String,
    /// 0 waiting, 1 delivered, 2 dead, 3 cancelled.
    pub state: u64,
    pub due_ms: u64,
    pub queued_ms: u64,
    pub attempts: u64,
    pub recorded: u64,
    pub payload_bytes: u64,
    pub died_ms: u64,
    pub reason: String,
    pub lapses: u64,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackedEntry {
    pub received_ms: u64,
    pub affinity: String,
    pub deliveries: Vec<DeliveryKey>,
    pub record: Vec<u8>,
}

/// Where a delivery goes when it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// To the end of the stream: due at once.
    Fresh,
    /// Among those that wait for a time.
    Later,
    Dead,
    Done,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Place::Fresh => "fresh",
            Place::Later => "later",
            Place::Dead => "dead",
            Place::Done => "done",
        }
    }
}

/// A delivery that is to be stored.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub key: DeliveryKey,
    pub destination: String,
    pub place: Place,
    pub packed: Vec<u8>,
    pub payload: Vec<u8>,
    pub records: Vec<Vec<u8>>,
}

pub(super) fn time(ms: u64) -> u64 {
    ms.min(TIME_MAX)
}

impl Parcel {
    /// A new delivery of an entry, queued at `queued_ms`, which is `now_ms` by the clock of due times.
    pub(super) fn new(delivery: NewDelivery, reference: &[u8], queued_ms: u64, now_ms: u64) -> Parcel {
        let queued_ms = time(queued_ms);
        let (place, state, due_ms, died_ms, reason) = match delivery.state {
            // Due at once, or a moment ago: the stream's order is that of arrival.
            NewState::Due(due_ms) if due_ms <= now_ms && now_ms - due_ms <= MOMENT_MS => {
                (Place::Fresh, 0, due_ms, 0, String::new())
            }
            NewState::Due(due_ms) => (Place::Later, 0, time(due_ms), 0, String::new()),
            NewState::Dead(reason) => (Place::Dead, 2, queued_ms, queued_ms, reason),
        };
        let packed = Packed {
            reference: reference.to_vec(),
            destination: delivery.destination.clone(),
            state,
            due_ms,
            queued_ms,
            attempts: 0,
            recorded: 0,
            payload_bytes: delivery.payload.len() as u64,
            died_ms,
            reason,
            lapses: 0,
        };
        let (key, destination, payload) = (delivery.key, delivery.destination, delivery.payload);
        Parcel { key, destination, place, packed: packed.write(), payload, records: Vec::new() }
    }

    /// A delivery that takes a dead letter's place: it waits in the order of its time.
    pub(super) fn replacing(delivery: NewDelivery, reference: &[u8], now_ms: u64) -> Parcel {
        let parcel = Parcel::new(delivery, reference, now_ms, now_ms);
        let place = if parcel.place == Place::Fresh { Place::Later } else { parcel.place };
        Parcel { place, ..parcel }
    }

    /// A delivery that another store exported.
    pub(super) fn stored(delivery: StoredDelivery, reference: &[u8]) -> Parcel {
        let (place, state, due_ms, died_ms, reason) = match delivery.state {
            StoredState::Waiting(due_ms) => (Place::Later, 0, time(due_ms), 0, String::new()),
            StoredState::Delivered => (Place::Done, 1, 0, 0, String::new()),
            StoredState::Dead { reason, died_ms } => (Place::Dead, 2, 0, time(died_ms), reason),
            StoredState::Cancelled(reason) => (Place::Done, 3, 0, 0, reason),
        };
        let packed = Packed {
            reference: reference.to_vec(),
            destination: delivery.destination.clone(),
            state,
            due_ms,
            queued_ms: time(delivery.queued_ms),
            attempts: delivery.attempts.into(),
            recorded: delivery.records.len() as u64,
            payload_bytes: delivery.payload.len() as u64,
            died_ms,
            reason,
            lapses: 0,
        };
        let (key, destination, payload) = (delivery.key, delivery.destination, delivery.payload);
        Parcel { key, destination, place, packed: packed.write(), payload, records: delivery.records }
    }

    pub(super) fn bytes(&self) -> usize {
        self.packed.len() + self.payload.len() + self.records.iter().map(Vec::len).sum::<usize>()
    }

    /// The arguments that a script reads as a delivery; `n` is its destination's number.
    pub(super) fn arguments(&self, n: u64, into: &mut Vec<Vec<u8>>) {
        into.push(self.key.0.to_vec());
        into.push(number(n));
        into.push(self.place.name().into());
        into.push(self.packed.clone());
        into.push(self.payload.clone());
        into.push(number(self.records.len() as u64));
        into.extend(self.records.iter().cloned());
    }
}

/// A number as an argument.
pub(super) fn number(n: u64) -> Vec<u8> {
    n.to_string().into_bytes()
}

/// The name of an outcome, when it is due again, and why it is dead or cancelled.
pub(super) fn outcome(attempt: &Attempt) -> (&'static str, u64, &str) {
    match &attempt.outcome {
        crate::Outcome::Delivered => ("delivered", 0, ""),
        crate::Outcome::Retry(due_ms) => ("retry", time(*due_ms), ""),
        crate::Outcome::Dead(reason) => ("dead", 0, reason),
        crate::Outcome::Cancelled(reason) => ("cancelled", 0, reason),
    }
}

/// The field of an attempt's record.
pub(super) fn attempt_field(key: &DeliveryKey, n: u64) -> Vec<u8> {
    let mut field = key.0.to_vec();
    field.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
    field
}

/// A profile's field as it is stored: `<seen>:<expires>:<value>`.
pub(super) fn profile_field(name: &str, stored: &[u8]) -> Option<(ProfileField, u64)> {
    let text = std::str::from_utf8(stored).ok()?;
    let (seen_ms, rest) = text.split_once(':')?;
    let (expires_ms, value) = rest.split_once(':')?;
    let seen_ms = seen_ms.parse().ok()?;
    Some((ProfileField { name: name.into(), value: value.into(), seen_ms }, expires_ms.parse().ok()?))
}

impl Packed {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.reference.len() + self.reason.len());
        // Writing to memory does not fail.
        let _ = encode::write_array_len(&mut out, 11);
        text(&mut out, &self.reference);
        text(&mut out, self.destination.as_bytes());
        for n in
            [self.state, self.due_ms, self.queued_ms, self.attempts, self.recorded, self.payload_bytes, self.died_ms]
        {
            let _ = encode::write_uint(&mut out, n);
        }
        text(&mut out, self.reason.as_bytes());
        let _ = encode::write_uint(&mut out, self.lapses);
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Packed> {
        let mut from = Cursor::new(bytes);
        if decode::read_array_len(&mut from).ok()? < 11 {
            return None;
        }
        Some(Packed {
            reference: read_bytes(&mut from)?,
            destination: read_text(&mut from)?,
            state: read_number(&mut from)?,
            due_ms: read_number(&mut from)?,
            queued_ms: read_number(&mut from)?,
            attempts: read_number(&mut from)?,
            recorded: read_number(&mut from)?,
            payload_bytes: read_number(&mut from)?,
            died_ms: read_number(&mut from)?,
            reason: read_text(&mut from)?,
            lapses: read_number(&mut from)?,
        })
    }
}

impl PackedEntry {
    /// The entry that is to be appended.
    pub(super) fn of(entry: &Entry) -> PackedEntry {
        PackedEntry {
            received_ms: time(entry.received_ms),
            affinity: entry.affinity.clone(),
            deliveries: entry.deliveries.iter().map(|one| one.key).collect(),
            record: entry.record.clone(),
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.affinity.len() + 16 * self.deliveries.len() + self.record.len());
        let _ = encode::write_array_len(&mut out, 4);
        let _ = encode::write_uint(&mut out, self.received_ms);
        text(&mut out, self.affinity.as_bytes());
        text(&mut out, &self.deliveries.iter().flat_map(|key| key.0).collect::<Vec<u8>>());
        text(&mut out, &self.record);
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Option<PackedEntry> {
        let mut from = Cursor::new(bytes);
        if decode::read_array_len(&mut from).ok()? < 4 {
            return None;
        }
        let received_ms = read_number(&mut from)?;
        let affinity = read_text(&mut from)?;
        let keys = read_bytes(&mut from)?;
        let mut deliveries: Vec<_> =
            keys.chunks_exact(16).filter_map(|key| Some(DeliveryKey(key.try_into().ok()?))).collect();
        deliveries.sort();
        Some(PackedEntry { received_ms, affinity, deliveries, record: read_bytes(&mut from)? })
    }
}

/// Bytes as Lua has them: a string, whatever is in it.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let _ = encode::write_str_len(out, length);
    out.extend_from_slice(bytes);
}

pub(super) fn read_bytes(from: &mut Cursor<&[u8]>) -> Option<Vec<u8>> {
    let length = decode::read_str_len(from).ok()? as usize;
    let start = usize::try_from(from.position()).ok()?;
    let bytes = from.get_ref().get(start..start.checked_add(length)?)?.to_vec();
    from.set_position((start + length) as u64);
    Some(bytes)
}

pub(super) fn read_text(from: &mut Cursor<&[u8]>) -> Option<String> {
    String::from_utf8(read_bytes(from)?).ok()
}

/// A whole number; Lua writes large ones as it likes.
pub(super) fn read_number(from: &mut Cursor<&[u8]>) -> Option<u64> {
    let at = from.position();
    if let Ok(n) = decode::read_int::<u64, _>(from) {
        return Some(n);
    }
    from.set_position(at);
    match decode::read_marker(from).ok()? {
        Marker::F64 => {
            from.set_position(at);
            let n = decode::read_f64(from).ok()?;
            (0.0..=TIME_MAX as f64).contains(&n).then_some(n as u64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read_again() {
        let packed = Packed {
            reference: b"4:shop\xff".to_vec(),
            destination: "meta".into(),
            state: 2,
            due_ms: TIME_MAX,
            queued_ms: 1 << 40,
            attempts: 3,
            recorded: 300,
            payload_bytes: 70_000,
            died_ms: 0,
            reason: "x".repeat(40_000),
            lapses: 1,
        };
        assert_eq!(Packed::read(&packed.write()), Some(packed.clone()));
        let entry = PackedEntry {
            received_ms: 5,
            affinity: "ü".into(),
            deliveries: vec![DeliveryKey([1; 16]), DeliveryKey([0xff; 16])],
            record: vec![0, 255, 128],
        };
        assert_eq!(PackedEntry::read(&entry.write()), Some(entry));
        for cut in 0..packed.write().len() {
            assert_eq!(Packed::read(&packed.write()[..cut]), None);
        }
    }

    #[test]
    fn a_number_that_lua_wrote_as_a_double_is_read() {
        let mut out = Vec::new();
        encode::write_f64(&mut out, 1e12).unwrap();
        assert_eq!(read_number(&mut Cursor::new(&out[..])), Some(1_000_000_000_000));
        let mut out = Vec::new();
        encode::write_f64(&mut out, -1.0).unwrap();
        assert_eq!(read_number(&mut Cursor::new(&out[..])), None);
    }
}
