//! The IAB's Global Privacy Platform: one string with a section for each law, of Europe, of Canada, and of the United
//! States.
//!
//! The sections of the United States say no more than that somebody opted out, so the most that they do is to take
//! marketing away; "did not opt out" is nobody's consent. Europe's and Canada's sections are consent strings.
//!
//! <https://github.com/InteractiveAdvertisingBureau/Global-Privacy-Platform>. Decoded here and not by `iab_gpp` 0.1.2,
//! whose header takes each single id for an offset from the last *offset*, so that of three sections the third gets
//! another one's name, and overflows on hostile ones.

use crate::Unreadable;
use crate::bits::Bits;
use crate::tcf::{Edition, Tcf};

/// Cookies that consent management platforms keep the string in. The IAB names none: these were seen.
pub const COOKIES: [&str; 2] = ["__gpp", "OTGPPConsent"];

/// Longer strings are not read.
pub const LENGTH_MAX: usize = 16 * 1024;

/// Where the answers are in a section of the United States: after this many notices there are this many opt-outs, of
/// sale, sharing and targeted advertising.
struct Answers {
    notices: usize,
    opt_outs: usize,
    version_max: u16,
}

/// What a string says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpp {
    tcf: Vec<Tcf>,
    opted_out: bool,
}

impl Gpp {
    /// Reads a string. A section of the United States that cannot be read counts as an opt-out: that is the most that it
    /// could have said.
    ///
    /// # Errors
    /// When its header, or a section that could have said more than that, cannot be read.
    pub fn read(text: &str) -> Result<Gpp, Unreadable> {
        if text.len() > LENGTH_MAX {
            return Err(Unreadable::TooLong { max: LENGTH_MAX });
        }
        let mut parts = text.trim().split('~');
        let header = parts.next().unwrap_or_default();
        let sections: Vec<&str> = parts.collect();
        let mut gpp = Gpp::default();
        for (id, section) in ids(header, sections.len())?.into_iter().zip(sections) {
            match id {
                2 => gpp.tcf.push(Tcf::read(section)?),
                // The signature over the others.
                4 => {}
                5 => gpp.tcf.push(Tcf::read_edition(section, Edition::Canada)?),
                6 => gpp.opted_out |= usp_opted_out(section),
                7..=27 => gpp.opted_out |= us_opted_out(id, section).unwrap_or(true),
                _ => return Err(Unreadable::Version),
            }
        }
        Ok(gpp)
    }

    /// The consent strings in it.
    pub fn tcf(&self) -> &[Tcf] {
        &self.tcf
    }

    /// Whether somebody opted out of sale, sharing or targeted advertising, or has Global Privacy Control on.
    pub fn is_opted_out(&self) -> bool {
        self.opted_out
    }
}

/// The sections' ids by the header: type 3, version 1, and a range of them in Fibonacci coding.
fn ids(header: &str, count: usize) -> Result<Vec<u16>, Unreadable> {
    let mut bits = Bits::of(header)?;
    if (bits.number(6)?, bits.number(6)?) != (3, 1) {
        return Err(Unreadable::Version);
    }
    let mut ids = Vec::with_capacity(count.min(64));
    let mut last: u16 = 0;
    for _ in 0..bits.number(12)? {
        let is_group = bits.bit()?;
        let from = last.checked_add(bits.fibonacci()?).ok_or(Unreadable::Contradiction)?;
        let more = if is_group { bits.fibonacci()? } else { 0 };
        last = from.checked_add(more).ok_or(Unreadable::Contradiction)?;
        if usize::from(more) + ids.len() >= count {
            return Err(Unreadable::Contradiction);
        }
        ids.extend(from..=last);
    }
    if ids.len() == count && count > 0 { Ok(ids) } else { Err(Unreadable::Contradiction) }
}

/// The older string of California, such as `1YNN`: version, notice, opted out of sale, covered by the LSPA.
fn usp_opted_out(section: &str) -> bool {
    !matches!(section.as_bytes(), [b'1', b'Y' | b'N' | b'-', b'N' | b'-', b'Y' | b'N' | b'-'])
}

fn us_opted_out(id: u16, section: &str) -> Result<bool, Unreadable> {
    let Answers { notices, opt_outs, version_max } = answers(id).ok_or(Unreadable::Version)?;
    let mut segments = section.split('.');
    let mut core = Bits::of(segments.next().unwrap_or_default())?;
    if !(1..=version_max).contains(&core.number(6)?) {
        return Err(Unreadable::Version);
    }
    core.skip(2 * notices)?;
    let mut opted_out = false;
    for _ in 0..opt_outs {
        // 0: not applicable, 1: opted out, 2: did not; 3 means nothing.
        opted_out |= matches!(core.number(2)?, 1 | 3);
    }
    for segment in segments {
        let mut bits = Bits::of(segment)?;
        // Of the segments only Global Privacy Control's has a number.
        opted_out |= bits.number(2)? != 1 || bits.bit()?;
    }
    Ok(opted_out)
}

/// Where a section has its answers, as far as that is known.
fn answers(id: u16) -> Option<Answers> {
    let (notices, opt_outs, version_max) = match id {
        // The national one.
        7 => (6, 3, 2),
        // California: no targeted advertising, but sharing.
        8 => (3, 2, 1),
        // Utah and Iowa have a notice more.
        11 | 18 => (4, 2, 1),
        // Virginia, Colorado, Connecticut, Florida, Montana, Oregon, Texas, Delaware, Nebraska, New Hampshire,
        // New Jersey, Tennessee, Minnesota.
        9 | 10 | 12..=17 | 19..=23 => (3, 2, 1),
        // 24 to 27 are Maryland, Indiana, Kentucky and Rhode Island, whose layout nobody here has seen.
        _ => return None,
    };
    Some(Answers { notices, opt_outs, version_max })
}
