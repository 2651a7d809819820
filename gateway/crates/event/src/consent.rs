//! What a visitor consented to: the level it has reached, the purposes that grants, and the signal that said so.

use serde::{Deserialize, Serialize};

/// How far a visitor's consent goes. A lower level is the more restrictive one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No cookie is written and nothing goes to a destination; the event is counted.
    None,
    /// The visitor id is kept; click IDs and personal identifiers are not; analytics destinations only.
    Analytics,
    /// Everything.
    Marketing,
}

impl Level {
    /// The level's name in configuration, answers and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Analytics => "analytics",
            Level::Marketing => "marketing",
        }
    }

    /// Reads a level's name.
    pub fn parse(raw: &str) -> Option<Level> {
        [Level::None, Level::Analytics, Level::Marketing].into_iter().find(|level| level.as_str() == raw)
    }
}

/// One thing to consent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Measuring the site's use.
    Analytics,
    /// Storing and reading advertising identifiers.
    AdStorage,
    /// Sending user data to an advertising platform.
    AdUserData,
    /// Personalised advertising.
    AdPersonalization,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Purpose; 4] =
        [Purpose::Analytics, Purpose::AdStorage, Purpose::AdUserData, Purpose::AdPersonalization];

    /// The purpose's name in manifests, records and reasons.
    pub const fn as_str(self) -> &'static str {
        match self {
            Purpose::Analytics => "analytics",
            Purpose::AdStorage => "ad-storage",
            Purpose::AdUserData => "ad-user-data",
            Purpose::AdPersonalization => "ad-personalization",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of purposes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Purpose>", into = "Vec<Purpose>")]
pub struct Purposes(u8);

impl Purposes {
    /// No purpose.
    pub const NONE: Purposes = Purposes(0);
    /// Every purpose.
    pub const ALL: Purposes = Purposes(0b1111);

    /// Whether the purpose is in the set.
    pub const fn contains(self, purpose: Purpose) -> bool {
        self.0 & purpose.bit() != 0
    }

    /// The set with the purpose.
    #[must_use]
    pub const fn with(self, purpose: Purpose) -> Purposes {
        Purposes(self.0 | purpose.bit())
    }

    /// The purposes that are not in the set.
    #[must_use]
    pub const fn complement(self) -> Purposes {
        Purposes(!self.0 & Purposes::ALL.0)
    }

    /// The purposes that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Purposes) -> Purposes {
        Purposes(self.0 & other.0)
    }

    /// The purposes that are in either set.
    #[must_use]
    pub const fn union(self, other: Purposes) -> Purposes {
        Purposes(self.0 | other.0)
    }

    /// The purposes in the set.
    pub fn iter(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL.into_iter().filter(move |purpose| self.contains(*purpose))
    }
}

impl From<Vec<Purpose>> for Purposes {
    fn from(list: Vec<Purpose>) -> Purposes {
        list.into_iter().fold(Purposes::NONE, Purposes::with)
    }
}

impl From<Purposes> for Vec<Purpose> {
    fn from(set: Purposes) -> Vec<Purpose> {
        set.iter().collect()
    }
}

/// What decided the level, kept with the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Nothing said anything: the site's default.
    SiteDefault,
    /// Nothing said anything: the default of the visitor's region.
    RegionDefault,
    /// The page's default, as long as its visitor has not answered: Google Consent Mode's `default`, for one.
    PageDefault,
    /// The gateway's own field, `consent`.
    Event,
    /// The gateway's own cookie, `tg_consent`: what the visitor said earlier.
    ConsentCookie,
    /// Google Consent Mode: `gcs`, `gcd`, or its fields by name.
    GoogleConsentMode,
    /// A consent string of the IAB's Transparency and Consent Framework.
    Tcf,
    /// A string of the IAB's Global Privacy Platform.
    Gpp,
    /// Segment's `context.consent.categoryPreferences`.
    SegmentCategories,
    /// The header `Sec-GPC: 1`.
    GlobalPrivacyControl,
}

impl Signal {
    /// Whether nobody said anything: what a default does not grant was never asked, and so is nobody's refusal.
    pub const fn is_default(self) -> bool {
        matches!(self, Signal::SiteDefault | Signal::RegionDefault | Signal::PageDefault)
    }
}

/// A visitor's consent at the time of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The most restrictive level that any signal present asked for.
    pub level: Level,
    /// The purposes that the level grants.
    pub granted: Purposes,
    /// The purposes that were explicitly refused.
    pub denied: Purposes,
    /// The browser sent `Sec-GPC: 1`.
    pub gpc: bool,
    /// The visitor opted out of sale or sharing.
    pub limited_data_use: bool,
    /// What decided the level.
    pub signal: Signal,
}

impl Consent {
    /// The consent of a level that `signal` decided.
    pub fn at(level: Level, signal: Signal) -> Consent {
        let granted = match level {
            Level::None => Purposes::NONE,
            Level::Analytics => Purposes::NONE.with(Purpose::Analytics),
            Level::Marketing => Purposes::ALL,
        };
        let denied = if signal.is_default() { Purposes::NONE } else { granted.complement() };
        Consent { level, granted, denied, gpc: false, limited_data_use: false, signal }
    }

    /// Whether all of `needed` are granted.
    pub fn grants(&self, mut needed: impl Iterator<Item = Purpose>) -> bool {
        needed.all(|purpose| self.granted.contains(purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_grant_what_they_say() {
        assert!(!Consent::at(Level::None, Signal::Event).grants([Purpose::Analytics].into_iter()));
        let analytics = Consent::at(Level::Analytics, Signal::Event);
        assert!(analytics.grants([Purpose::Analytics].into_iter()));
        assert!(!analytics.grants([Purpose::Analytics, Purpose::AdUserData].into_iter()));
        assert!(analytics.denied.contains(Purpose::AdUserData));
        assert!(Consent::at(Level::Marketing, Signal::Event).grants(Purpose::ALL.into_iter()));
    }

    #[test]
    fn a_default_denies_nothing_explicitly() {
        assert_eq!(Consent::at(Level::None, Signal::SiteDefault).denied, Purposes::NONE);
    }

    #[test]
    fn signals_are_stored_by_name_and_old_records_are_read() {
        let stored = r#"{"level":"analytics","granted":["analytics"],"denied":["ad-storage"],"gpc":true,
            "limited_data_use":false,"signal":"#;
        for (name, signal) in [
            ("page-default", Signal::PageDefault),
            ("site-default", Signal::SiteDefault),
            ("event", Signal::Event),
            ("segment-categories", Signal::SegmentCategories),
            ("global-privacy-control", Signal::GlobalPrivacyControl),
            // Newer than the first stored records.
            ("region-default", Signal::RegionDefault),
            ("consent-cookie", Signal::ConsentCookie),
            ("google-consent-mode", Signal::GoogleConsentMode),
            ("tcf", Signal::Tcf),
            ("gpp", Signal::Gpp),
        ] {
            let consent: Consent = serde_json::from_str(&format!("{stored}\"{name}\"}}")).unwrap();
            assert_eq!(consent.signal, signal);
            assert_eq!(serde_json::to_string(&signal).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn purposes_are_stored_by_name() {
        let stored = serde_json::to_string(&Purposes::NONE.with(Purpose::AdUserData)).unwrap();
        assert_eq!(stored, r#"["ad-user-data"]"#);
        assert_eq!(serde_json::from_str::<Purposes>(&stored).unwrap(), Purposes::NONE.with(Purpose::AdUserData));
    }
}
