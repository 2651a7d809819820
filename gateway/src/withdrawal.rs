//! Withdrawals of consent, as the store keeps them: a field of the visitor's profile that says what was taken back and
//! when, and in each delivery whose it is.
//!
//! Owns both formats and decides, purely, what counts as a withdrawal. Reads and writes nothing: events write the field
//! on arrival (`journey/withdrawal.rs`), deliveries are checked by it before they leave (`delivery/consent.rs`).

use serde::{Deserialize, Serialize};
use tidegate_event::{Consent, Purposes};

use crate::record::Error;

/// The profile's field.
pub const FIELD: &str = "withdrawn";

const VERSION: u32 = 1;
/// Each one kept takes back something that no later one does. There are few such combinations; were there more, the two
/// oldest would be kept as one, which takes back what either did.
const TAKEN_MAX: usize = 4;

/// Whose a delivery is, for whoever asks again before it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// When its event arrived, by the gateway's clock.
    pub received_ms: u64,
    /// The keys of the profiles that it has to do with.
    pub profiles: Vec<String>,
}

/// One withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When it arrived, by the gateway's clock. It holds for what had arrived until then.
    pub at_ms: u64,
    /// All that was consented to from then on, and what said so.
    pub consent: Consent,
}

/// What a profile's field says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawals {
    v: u32,
    /// What the visitor's last event was consented to.
    now: Consent,
    /// What was taken back before that, oldest first.
    taken: Vec<Withdrawal>,
}

/// Whether somebody said what an event is consented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The visitor, or a backend for its user.
    Said,
    /// A default: nobody's word, so that it takes nothing back.
    Default,
}

impl Word {
    /// What decided a consent.
    pub fn of(consent: &Consent) -> Word {
        if consent.signal.is_default() { Word::Default } else { Word::Said }
    }
}

impl Withdrawals {
    /// Of a visitor of whom nothing was known: there is nothing to take back yet.
    pub fn begin(now: Consent) -> Withdrawals {
        Withdrawals { v: VERSION, now, taken: Vec::new() }
    }

    /// Of a visitor of whom was known that everything was consented to, and no more: the first one.
    pub fn first(consent: Consent, at_ms: u64) -> Withdrawals {
        Withdrawals { v: VERSION, now: consent, taken: vec![Withdrawal { at_ms, consent }] }
    }

    /// Reads a field; `None` where it says nothing.
    ///
    /// # Errors
    /// When a newer Tidegate wrote it, or it is damaged.
    pub fn read(text: &str) -> Result<Option<Withdrawals>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        crate::record::read(text.as_bytes()).map(Some)
    }

    /// The field's text.
    pub fn text(&self) -> String {
        String::from_utf8(crate::record::write(self)).unwrap_or_default()
    }

    /// What the field says after an event with this consent; `None` when it says so already.
    pub fn after(&self, consent: Consent, at_ms: u64) -> Option<Withdrawals> {
        if (self.now.level, self.now.granted) == (consent.level, consent.granted) {
            return None;
        }
        let mut next = Withdrawals { now: consent, ..self.clone() };
        if Word::of(&consent) == Word::Said && !covers(&consent, &self.now) {
            next.taken.retain(|earlier| !covers(&earlier.consent, &consent));
            next.taken.push(Withdrawal { at_ms, consent });
            if next.taken.len() > TAKEN_MAX {
                let oldest = next.taken.remove(0);
                next.taken[0].consent = both(&oldest.consent, &next.taken[0].consent);
            }
        }
        Some(next)
    }

    /// The withdrawals that hold for what arrived at a time.
    pub fn since(&self, received_ms: u64) -> impl Iterator<Item = &Withdrawal> {
        self.taken.iter().filter(move |withdrawal| withdrawal.at_ms >= received_ms)
    }
}

/// Whether nothing is left that could be consented to.
pub fn is_full(consent: &Consent) -> bool {
    consent.granted == Purposes::ALL
}

/// Whether one consent allows all that another one does.
pub fn covers(one: &Consent, other: &Consent) -> bool {
    one.level >= other.level && one.granted.intersection(other.granted) == other.granted
}

fn both(one: &Consent, other: &Consent) -> Consent {
    Consent {
        level: one.level.min(other.level),
        granted: one.granted.intersection(other.granted),
        denied: one.denied.union(other.denied),
        gpc: one.gpc || other.gpc,
        limited_data_use: one.limited_data_use || other.limited_data_use,
        signal: other.signal,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_event::{Level, Purpose, Signal};

    use super::*;

    fn at(level: Level) -> Consent {
        Consent::at(level, Signal::Event)
    }

    fn held(field: &Withdrawals, received_ms: u64) -> Vec<(u64, Level)> {
        field.since(received_ms).map(|one| (one.at_ms, one.consent.level)).collect()
    }

    #[test]
    fn a_withdrawal_holds_for_what_arrived_before_it_and_is_written_once() {
        let field = Withdrawals::first(at(Level::Analytics), 10);
        assert_eq!(held(&field, 10), [(10, Level::Analytics)]);
        assert_eq!(held(&field, 11), []);
        assert_eq!(field.after(at(Level::Analytics), 12), None);
    }

    #[test]
    fn consent_that_is_given_again_brings_back_nothing_and_may_be_withdrawn_again() {
        let again = Withdrawals::first(at(Level::Analytics), 10).after(at(Level::Marketing), 20).unwrap();
        assert_eq!(held(&again, 5), [(10, Level::Analytics)]);
        assert_eq!(again.after(at(Level::Marketing), 21), None);
        let field = again.after(at(Level::Analytics), 30).unwrap();
        assert_eq!(held(&field, 25), [(30, Level::Analytics)]);
        assert_eq!(held(&field, 5), [(30, Level::Analytics)], "one that takes back as much stands for the first");
    }

    #[test]
    fn a_milder_withdrawal_does_not_replace_a_stricter_one() {
        let none = Withdrawals::first(at(Level::None), 10);
        let more = none.after(at(Level::Analytics), 20).unwrap();
        assert_eq!(held(&more, 5), [(10, Level::None)], "more consent takes nothing back");
        let field = more.after(at(Level::Marketing), 30).unwrap().after(at(Level::Analytics), 40).unwrap();
        assert_eq!(held(&field, 5), [(10, Level::None), (40, Level::Analytics)]);
        assert_eq!(held(&field, 35), [(40, Level::Analytics)]);
        let field = field.after(at(Level::None), 50).unwrap();
        assert_eq!(held(&field, 5), [(50, Level::None)]);
    }

    #[test]
    fn a_default_takes_nothing_back_but_what_it_allows_may_be_withdrawn() {
        let default = |level| Consent::at(level, Signal::SiteDefault);
        let field = Withdrawals::begin(at(Level::Marketing)).after(default(Level::Analytics), 10).unwrap();
        assert_eq!(held(&field, 0), []);
        let field = Withdrawals::first(at(Level::Analytics), 10).after(default(Level::Marketing), 20).unwrap();
        assert_eq!(held(&field.after(at(Level::Analytics), 30).unwrap(), 25), [(30, Level::Analytics)]);
    }

    #[test]
    fn a_purpose_may_be_withdrawn_alone_and_what_is_kept_is_bounded() {
        let only = |granted: Purposes| Consent { granted, denied: granted.complement(), ..at(Level::Marketing) };
        let mut field = Withdrawals::begin(at(Level::Marketing));
        let purposes = Purpose::ALL;
        let pairs =
            purposes.iter().enumerate().flat_map(|(n, one)| purposes[n + 1..].iter().map(move |two| (one, two)));
        let pairs: Vec<Purposes> = pairs.map(|(one, two)| Purposes::NONE.with(*one).with(*two)).collect();
        for (granted, at_ms) in pairs.iter().zip([10, 20, 30, 40, 50, 60]) {
            field = field.after(only(*granted), at_ms).unwrap().after(at(Level::Marketing), at_ms + 5).unwrap();
        }
        let kept: Vec<_> = field.since(0).map(|one| (one.at_ms, one.consent.granted)).collect();
        let both = Purposes::NONE.with(Purpose::Analytics);
        assert_eq!(kept, [(30, both), (40, pairs[3]), (50, pairs[4]), (60, pairs[5])], "the three oldest are one");
        assert_eq!(field.since(60).count(), 1);
    }

    #[test]
    fn a_field_of_version_1_is_read_and_a_newer_one_is_named() {
        let consent = r#"{"level":"analytics","granted":["analytics"],"denied":["ad-storage"],"gpc":false,
            "limited_data_use":false,"signal":"event"}"#;
        let stored = format!(r#"{{"v":1,"now":{consent},"taken":[{{"at_ms":7,"consent":{consent}}}]}}"#);
        let field = Withdrawals::read(&stored).unwrap().unwrap();
        assert_eq!(held(&field, 7), [(7, Level::Analytics)]);
        assert_eq!(Withdrawals::read(&field.text()).unwrap(), Some(field));
        assert_eq!(Withdrawals::read("").unwrap(), None);
        let newer = Withdrawals::read(r#"{"v":2,"other":1}"#).unwrap_err();
        assert_eq!(newer.to_string(), "was written in format 2; this Tidegate reads up to 1");
    }
}
