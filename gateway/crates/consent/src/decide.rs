//! Which signal decides: the most restrictive one, purpose by purpose.

use tidegate_event::{Consent, Purpose, Signal};

use crate::reading::{Reading, advertising, level_of};
use crate::{Rules, Signals};

/// Decides a visitor's consent.
///
/// A purpose is granted when every signal that says anything grants it; with none, the default of the visitor's region or
/// of the site holds. An opt-out (`Sec-GPC: 1`, a section of the Global Privacy Platform) grants nothing and takes
/// advertising away, also from a default.
pub fn decide(signals: &Signals, rules: &Rules) -> Consent {
    let readings = signals.readings(rules);
    let restrictive = |reading: &&Reading| (level_of(reading.granted), reading.granted.iter().count());
    let decisive = readings.iter().min_by_key(restrictive).copied().unwrap_or_else(|| default(signals, rules));
    let mut granted = readings.iter().fold(decisive.granted, |both, reading| both.intersection(reading.granted));
    let mut denied = readings.iter().fold(decisive.denied, |either, reading| either.union(reading.denied));
    if !granted.contains(Purpose::AdStorage) {
        // User data and personalisation are of no use to an advertiser whose storage is refused, and a level that keeps
        // no identifiers has none to send.
        granted = granted.intersection(advertising().complement());
    }
    let mut signal = decisive.signal;
    for (opted_out, by) in [(signals.has_gpc(), Signal::GlobalPrivacyControl), (signals.has_gpp_opt_out(), Signal::Gpp)]
    {
        if opted_out {
            if granted.contains(Purpose::AdStorage) {
                signal = by;
            }
            granted = granted.intersection(advertising().complement());
            denied = denied.union(advertising());
        }
    }
    Consent {
        level: level_of(granted),
        granted,
        denied,
        gpc: signals.has_gpc(),
        limited_data_use: signals.has_limited_data_use() || signals.has_gpp_opt_out(),
        signal,
    }
}

/// What holds when nothing says anything.
fn default(signals: &Signals, rules: &Rules) -> Reading {
    let regional = signals.place().and_then(|region| rules.regions.level(region));
    let (level, signal) = match regional {
        Some(level) => (level, Signal::RegionDefault),
        None => (rules.default, Signal::SiteDefault),
    };
    Reading::default(level, signal)
}
