//! A waybill: what the ledger knows of one request before it is sent. Whoever sends has one, and by that time its flows are
//! in the ledger; what comes of the sending is counted through it.

use std::sync::Arc;

use tidegate_sandbox::contract::{Outcome, Verdict};

use super::books::Line;
use super::entry::Counts;

/// What a request carries, one line an event, in the order of its events.
#[derive(Debug, Default)]
pub struct Waybill {
    pub(super) lines: Vec<Line>,
}

/// One sending of a request. It counts as one that no answer came to, unless something else is said before it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Leaving<'a> {
    waybill: &'a Waybill,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Answered,
    HeldBack,
}

impl Waybill {
    /// The waybill of what is not in the ledger.
    pub fn none() -> Waybill {
        Waybill::default()
    }

    /// The request is being sent.
    pub fn leaving(&self) -> Leaving<'_> {
        Leaving { waybill: self, fate: Fate::Unknown }
    }

    /// The platform's answer means this.
    pub fn judged(&self, verdict: &Verdict) {
        let (taken, refused) = (Counts { taken: 1, ..Counts::default() }, Counts { refused: 1, ..Counts::default() });
        for (position, line) in self.lines.iter().enumerate() {
            let counts = match verdict {
                Verdict::Delivered => taken,
                Verdict::Reject(_) => refused,
                Verdict::Split if self.lines.len() == 1 => refused,
                Verdict::Each(outcomes) => match outcomes.get(position) {
                    Some(Outcome::Delivered) => taken,
                    Some(Outcome::Reject(_)) => refused,
                    Some(Outcome::Retry(_)) | None => continue,
                },
                Verdict::Split | Verdict::Retry(_) | Verdict::Credentials(_) => return,
            };
            line.flow.count(&counts, &[]);
        }
    }

    fn count_sent(&self, fate: Fate) {
        let unanswered = u64::from(fate == Fate::Unknown);
        for (position, line) in self.lines.iter().enumerate() {
            let is_first = !self.lines[..position].iter().any(|earlier| Arc::ptr_eq(&earlier.flow, &line.flow));
            let counts = Counts { requests: u64::from(is_first), events: 1, unanswered, ..Counts::default() };
            line.flow.count(&counts, &line.places);
        }
    }
}

impl Leaving<'_> {
    /// An answer came.
    pub fn answered(mut self) {
        self.fate = Fate::Answered;
    }

    /// It was not sent at all.
    pub fn held_back(mut self) {
        self.fate = Fate::HeldBack;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.fate != Fate::HeldBack {
            self.waybill.count_sent(self.fate);
        }
    }
}
