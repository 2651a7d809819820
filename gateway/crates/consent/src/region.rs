//! Where a visitor is, by ISO 3166, and the levels that hold there when nothing else says anything.

use std::collections::BTreeMap;
use std::fmt;

use tidegate_event::Level;

/// The group of the countries where the law of the European Economic Area holds: the Union's 27, Iceland, Liechtenstein
/// and Norway, and the territories with a code of their own that the Union's law extends to (TFEU, article 355).
const EEA: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", //
    "IS", "LI", "NO", //
    "AX", "GF", "GP", "MF", "MQ", "RE", "YT",
];

/// Groups of countries by their names.
const GROUPS: &[(&str, &[&str])] = &[("EEA", EEA)];

/// A country, or a subdivision of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    country: [u8; 2],
    /// Of up to three characters, filled with zeroes; all zeroes is none.
    subdivision: [u8; 3],
}

/// What is wrong with a region or with the regions of a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// Neither a code nor a group.
    #[error("`{found}` is no region")]
    Unknown {
        /// What was found.
        found: String,
    },
    /// The same region in two spellings.
    #[error("`{found}` is there twice")]
    Twice {
        /// The region.
        found: String,
    },
}

impl RegionError {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            RegionError::Unknown { .. } => "a country (`DE`), a subdivision (`US-CA`), `EEA`, or `*` for all others",
            RegionError::Twice { .. } => "codes are the same in upper-case and lower-case: keep one of them",
        }
    }
}

impl Region {
    /// Reads a country's code (ISO 3166-1, `DE`) or a subdivision's (ISO 3166-2, `US-CA`), in either case.
    pub fn parse(text: &str) -> Option<Region> {
        match text.split_once('-') {
            None => Region::of(text, None),
            Some((country, subdivision)) => Region::of(country, Some(subdivision)),
        }
    }

    /// A country and, where known, a subdivision in it.
    pub fn of(country: &str, subdivision: Option<&str>) -> Option<Region> {
        let country: [u8; 2] = country.to_ascii_uppercase().into_bytes().try_into().ok()?;
        if !country.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        let mut region = Region { country, subdivision: [0; 3] };
        if let Some(text) = subdivision {
            let text = text.as_bytes();
            if !(1..=3).contains(&text.len()) || !text.iter().all(u8::is_ascii_alphanumeric) {
                return None;
            }
            region.subdivision[..text.len()].copy_from_slice(&text.to_ascii_uppercase());
        }
        Some(region)
    }

    /// The country that it is, or is in.
    #[must_use]
    pub fn country(self) -> Region {
        Region { subdivision: [0; 3], ..self }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().take_while(|byte| **byte != 0).try_for_each(|byte| write!(f, "{}", char::from(*byte)))
        };
        write(f, &self.country)?;
        if self.subdivision[0] != 0 {
            write!(f, "-")?;
        }
        write(f, &self.subdivision)
    }
}

/// The defaults of a site's regions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions {
    regions: BTreeMap<Region, Level>,
    groups: BTreeMap<&'static str, Level>,
    others: Option<Level>,
}

impl Regions {
    /// Adds the default of a region by its name in the configuration: `DE`, `US-CA`, `EEA`, or `*` for every other one.
    ///
    /// # Errors
    /// When there is no such region, or it has a default already.
    pub fn add(&mut self, name: &str, level: Level) -> Result<(), RegionError> {
        let group = GROUPS.iter().find(|(group, _)| group.eq_ignore_ascii_case(name));
        let before = if name == "*" {
            self.others.replace(level)
        } else if let Some((group, _)) = group {
            self.groups.insert(group, level)
        } else {
            let region = Region::parse(name).ok_or_else(|| RegionError::Unknown { found: name.to_owned() })?;
            self.regions.insert(region, level)
        };
        before.map_or(Ok(()), |_| Err(RegionError::Twice { found: name.to_owned() }))
    }

    /// Whether there is none: then nobody has to know where a visitor is.
    pub fn is_empty(&self) -> bool {
        *self == Regions::default()
    }

    /// The default of a region: its own, its country's, a group's, that of all others, whichever is there first.
    pub fn level(&self, region: Region) -> Option<Level> {
        let own = || self.regions.get(&region).or_else(|| self.regions.get(&region.country())).copied();
        own().or_else(|| self.group_level(region)).or(self.others)
    }

    fn group_level(&self, region: Region) -> Option<Level> {
        let code = region.country().to_string();
        let within = GROUPS.iter().filter(|(_, codes)| codes.contains(&code.as_str()));
        within.filter_map(|(name, _)| self.groups.get(name)).min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(entries: &[(&str, Level)]) -> Regions {
        let mut regions = Regions::default();
        for (name, level) in entries {
            regions.add(name, *level).unwrap();
        }
        regions
    }

    #[test]
    fn the_most_specific_region_wins() {
        let regions = regions(&[
            ("*", Level::Marketing),
            ("EEA", Level::None),
            ("AT", Level::Analytics),
            ("us-ca", Level::Analytics),
            ("US", Level::Marketing),
        ]);
        for (region, level) in [
            ("US-CA", Level::Analytics),
            ("US-NY", Level::Marketing),
            ("US", Level::Marketing),
            ("DE", Level::None),
            ("DE-BY", Level::None),
            ("AT-9", Level::Analytics),
            ("NO", Level::None),
            ("RE", Level::None),
            ("GB", Level::Marketing),
        ] {
            assert_eq!(regions.level(Region::parse(region).unwrap()), Some(level), "{region}");
        }
    }

    #[test]
    fn a_region_that_nobody_configured_has_no_default() {
        assert_eq!(regions(&[("DE", Level::None)]).level(Region::parse("US").unwrap()), None);
        assert!(Regions::default().is_empty());
    }

    #[test]
    fn codes_are_read_and_shown() {
        for (text, shown) in [("de", "DE"), ("US-CA", "US-CA"), ("gb-eng", "GB-ENG"), ("AT-9", "AT-9")] {
            assert_eq!(Region::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "D", "DEU", "D1", "US-", "US-CALI", "US_CA", "ÄÖ", "-CA"] {
            assert_eq!(Region::parse(text), None, "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_and_how_to_mend_it() {
        let mut regions = regions(&[("DE", Level::None)]);
        let error = regions.add("Germany", Level::None).unwrap_err();
        assert_eq!(error.to_string(), "`Germany` is no region");
        assert!(error.hint().contains("US-CA"));
        assert_eq!(regions.add("de", Level::None).unwrap_err().to_string(), "`de` is there twice");
    }

    #[test]
    fn the_eea_has_thirty_countries_and_seven_territories() {
        assert_eq!(EEA.len(), 37);
        assert!(EEA.iter().all(|code| Region::parse(code).is_some()));
        assert!(!EEA.contains(&"GB") && !EEA.contains(&"CH"));
    }
}
