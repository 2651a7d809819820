//! What a plugin may use, and how its requests are joined. Sizes and durations are text with a unit in the manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a plugin may use for one event, and how old an event may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// An event older than this is not sent any more: the platform would refuse it.
    pub age_max: Duration,
    /// All linear memories and tables together.
    pub memory_max: Size,
    /// Running time of one call, in milliseconds.
    pub time_max_ms: u32,
    /// All that one call returns.
    pub output_max: Size,
    /// What shares an instance.
    #[serde(skip_serializing_if = "Instance::is_per_event")]
    pub instance: Instance,
}

/// What runs in one instance of a plugin, and so could see what was there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instance {
    /// One event, in an instance of its own: nothing of it is there for the next.
    #[default]
    PerEvent,
    /// The events of one request of a client, one after the other. For guests whose instances are dear to start.
    PerBatch,
}

impl Instance {
    fn is_per_event(&self) -> bool {
        *self == Instance::PerEvent
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            age_max: Duration::from_ms(7 * 24 * 3_600_000),
            memory_max: Size(4 << 20),
            time_max_ms: 20,
            output_max: Size(1 << 20),
            instance: Instance::PerEvent,
        }
    }
}

/// How the gateway joins the requests of several events into one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Batch {
    /// How bodies are joined.
    pub join: Join,
    /// How those to some endpoints are joined instead, by the endpoints' names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub joins: BTreeMap<String, Join>,
    /// The most events in one request.
    pub events_max: u32,
    /// The largest body, in bytes.
    pub body_max: Size,
    /// How long the first event may wait for others.
    pub linger_ms: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Batch { join: Join::None, joins: BTreeMap::new(), events_max: 1, body_max: Size(1 << 20), linger_ms: 0 }
    }
}

impl Batch {
    /// How the bodies to an endpoint are joined.
    pub fn join_to(&self, endpoint: &str) -> &Join {
        self.joins.get(endpoint).unwrap_or(&self.join)
    }

    /// Whether any bodies are.
    pub fn joins_any(&self) -> bool {
        std::iter::once(&self.join).chain(self.joins.values()).any(|join| *join != Join::None)
    }
}

/// How bodies are joined. Requests equal in all else become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Join {
    /// Not at all: an event a request.
    #[default]
    None,
    /// Bodies are JSON, equal in all but the array at this JSON pointer (`json-array:/data`); the arrays are joined.
    JsonArray(String),
    /// Bodies are lines of JSON; they are put one after the other.
    Ndjson,
}

/// A number of bytes, written as `4MiB`, `130kB` or `512B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A span of time in whole milliseconds, written as `7d`, `72h`, `30m`, `20s` or `500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Duration {
    /// A span of so many milliseconds.
    pub const fn from_ms(ms: u64) -> Duration {
        Duration(ms)
    }

    /// The span in milliseconds.
    pub const fn as_ms(self) -> u64 {
        self.0
    }
}

const SIZE_UNITS: &[(&str, u64)] =
    &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
const DURATION_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

fn parse_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn format_quantity(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let exact = units.iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    match exact.or(units.last()) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => write!(f, "{value}"),
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Size, String> {
        parse_quantity(text, SIZE_UNITS)
            .map(Size)
            .ok_or_else(|| format!("`{text}` is no size such as `4MiB` or `130kB`"))
    }
}

impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Duration, String> {
        parse_quantity(text, DURATION_UNITS)
            .map(Duration)
            .ok_or_else(|| format!("`{text}` is no duration such as `7d`, `72h` or `500ms`"))
    }
}

impl FromStr for Join {
    type Err = String;
    fn from_str(text: &str) -> Result<Join, String> {
        match (text, text.strip_prefix("json-array:")) {
            ("none", _) => Ok(Join::None),
            ("ndjson", _) => Ok(Join::Ndjson),
            (_, Some(pointer)) if pointer.is_empty() || pointer.starts_with('/') => {
                Ok(Join::JsonArray(pointer.to_owned()))
            }
            _ => Err(format!("`{text}` is no way to join: `none`, `ndjson`, or `json-array:` and a JSON pointer")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_quantity(self.0, SIZE_UNITS, f)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_quantity(self.0, DURATION_UNITS, f)
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Join::None => f.write_str("none"),
            Join::Ndjson => f.write_str("ndjson"),
            Join::JsonArray(pointer) => write!(f, "json-array:{pointer}"),
        }
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Size, Duration, Join);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_they_are_written() {
        assert_eq!("4MiB".parse(), Ok(Size(4 << 20)));
        assert_eq!("130kB".parse(), Ok(Size(130_000)));
        assert_eq!("7d".parse(), Ok(Duration::from_ms(604_800_000)));
        assert_eq!("500ms".parse(), Ok(Duration::from_ms(500)));
        assert_eq!(Size(4 << 20).to_string(), "4MiB");
        assert_eq!(Duration::from_ms(259_200_000).to_string(), "3d");
        assert_eq!(Duration::from_ms(1500).to_string(), "1500ms");
    }

    #[test]
    fn an_instance_is_for_one_event_unless_the_manifest_says_otherwise() {
        let limits = |text: &str| toml::from_str::<Limits>(text).map_err(|error| error.message().to_owned());
        assert_eq!(limits("").map(|limits| limits.instance), Ok(Instance::PerEvent));
        assert_eq!(limits("instance = \"per-batch\"").map(|limits| limits.instance), Ok(Instance::PerBatch));
        let wrong = limits("instance = \"for-ever\"").unwrap_err();
        assert_eq!(wrong, "unknown variant `for-ever`, expected `per-event` or `per-batch`");
        // The lock of a plugin that does not share is as it was before there was a choice.
        assert!(!toml::to_string(&Limits::default()).unwrap().contains("instance"));
    }

    #[test]
    fn nonsense_and_overflow_are_refused() {
        assert!("MiB".parse::<Size>().is_err());
        assert!("4 bananas".parse::<Size>().is_err());
        assert!("99999999999999999999d".parse::<Duration>().is_err());
        assert!("json-array:data".parse::<Join>().is_err());
    }
}
