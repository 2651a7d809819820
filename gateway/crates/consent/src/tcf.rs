//! The IAB's Transparency and Consent Framework: which purposes and vendors a consent string consents to.
//!
//! The string's core segment is read as far as its vendors; the other segments, legitimate interests and the publisher's
//! restrictions are not: nothing here is done without consent. A purpose that was not put to the visitor, because the
//! publisher's country treats purpose 1 otherwise, is not consented to either.
//!
//! <https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework>, "Consent string and vendor
//! list formats v2". Decoded here and not by `iab_gpp`, which expands ranges of vendors: in a kilobyte there is room for
//! twelve million of them.

use tidegate_event::{Purpose, Purposes, Signal};

use crate::Unreadable;
use crate::bits::Bits;
use crate::reading::{Reading, advertising};

/// The cookie that consent management platforms keep the string in.
pub const COOKIE: &str = "euconsent-v2";

/// Longer strings are not read. A real one with all its segments is below 3 KiB.
pub const LENGTH_MAX: usize = 8 * 1024;

/// What has to be consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `analytics`: the purposes that analytics needs. Default 1 (storage) and 8 (measuring content).
    pub analytics: Vec<u8>,
    /// `marketing`: the purposes that marketing needs. Default 1, 3 and 4 (personalised advertising), 7 (measuring it).
    pub marketing: Vec<u8>,
    /// `vendors`: ids in the IAB's list, all of which need consent for anything. Default none.
    pub vendors: Vec<u16>,
}

/// Purposes are numbered from 1 to this.
pub const PURPOSE_MAX: u8 = 24;

impl Default for Rules {
    fn default() -> Rules {
        Rules { analytics: vec![1, 8], marketing: vec![1, 3, 4, 7], vendors: Vec::new() }
    }
}

/// Whose framework a string is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// Europe's, version 2.
    Europe,
    /// Canada's, version 1: of its consents only the express ones count.
    Canada,
}

/// The consents in a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcf {
    /// The lowest bit is purpose 1.
    purposes: u32,
    /// First and last of each run of vendors, in the order of the string.
    vendors: Vec<(u16, u16)>,
}

impl Tcf {
    /// Reads a consent string of Europe's framework.
    ///
    /// # Errors
    /// When it is none, or not whole.
    pub fn read(text: &str) -> Result<Tcf, Unreadable> {
        Tcf::read_edition(text, Edition::Europe)
    }

    pub(crate) fn read_edition(text: &str, edition: Edition) -> Result<Tcf, Unreadable> {
        if text.len() > LENGTH_MAX {
            return Err(Unreadable::TooLong { max: LENGTH_MAX });
        }
        let mut bits = Bits::of(text.trim().split('.').next().unwrap_or_default())?;
        let (version, flags) = match edition {
            Edition::Europe => (2, 2),
            Edition::Canada => (1, 1),
        };
        if bits.number(6)? != version {
            return Err(Unreadable::Version);
        }
        // Created, updated, the platform and its version, screen, language, vendor list, policy.
        bits.skip(36 + 36 + 12 + 12 + 6 + 12 + 12 + 6)?;
        // Of one service alone (Europe), stacks that are not standard; special features.
        bits.skip(flags + 12)?;
        let mut purposes = 0;
        for purpose in 0..PURPOSE_MAX {
            purposes |= u32::from(bits.bit()?) << purpose;
        }
        bits.skip(24)?;
        if edition == Edition::Europe {
            // Purpose 1 treated otherwise; the publisher's country.
            bits.skip(1 + 12)?;
        }
        Ok(Tcf { purposes, vendors: vendors(&mut bits)? })
    }

    /// Whether a purpose is consented to.
    pub fn consents_to(&self, purpose: u8) -> bool {
        (1..=PURPOSE_MAX).contains(&purpose) && self.purposes >> (purpose - 1) & 1 == 1
    }

    /// Whether a vendor is consented to.
    pub fn consents_to_vendor(&self, vendor: u16) -> bool {
        self.vendors.iter().any(|(first, last)| (*first..=*last).contains(&vendor))
    }

    pub(crate) fn reading(&self, rules: &Rules, signal: Signal) -> Reading {
        let all = |needed: &[u8]| needed.iter().all(|purpose| self.consents_to(*purpose));
        let mut granted = Purposes::NONE;
        if rules.vendors.iter().all(|vendor| self.consents_to_vendor(*vendor)) {
            if all(&rules.analytics) {
                granted = granted.with(Purpose::Analytics);
            }
            if all(&rules.marketing) {
                granted = granted.union(advertising());
            }
        }
        Reading::of(granted, signal)
    }
}

/// A list of vendors as runs: a field of bits, or ranges.
fn vendors(bits: &mut Bits<'_>) -> Result<Vec<(u16, u16)>, Unreadable> {
    let last = bits.number(16)?;
    let mut runs: Vec<(u16, u16)> = Vec::new();
    if bits.bit()? {
        for _ in 0..bits.number(12)? {
            let is_group = bits.bit()?;
            let from = bits.number(16)?;
            let to = if is_group { bits.number(16)? } else { from };
            if from > to {
                return Err(Unreadable::Contradiction);
            }
            runs.push((from, to));
        }
        return Ok(runs);
    }
    for vendor in 1..=last {
        if bits.bit()? {
            match runs.last_mut() {
                Some((_, to)) if *to + 1 == vendor => *to = vendor,
                _ => runs.push((vendor, vendor)),
            }
        }
    }
    Ok(runs)
}
