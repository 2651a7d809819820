//! A set of purposes as JSON: the list of their names, as in a manifest.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Purposes;

const NAMES: [(&str, Purposes); 4] = [
    ("analytics", Purposes::ANALYTICS),
    ("ad-storage", Purposes::AD_STORAGE),
    ("ad-user-data", Purposes::AD_USER_DATA),
    ("ad-personalization", Purposes::AD_PERSONALIZATION),
];

impl Serialize for Purposes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(NAMES.iter().filter(|(_, flag)| self.contains(*flag)).map(|(name, _)| name))
    }
}

impl<'de> Deserialize<'de> for Purposes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Purposes, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().try_fold(Purposes::empty(), |set, name| {
            let known = NAMES.iter().find(|(known, _)| known == name);
            known.map(|(_, flag)| set | *flag).ok_or_else(|| D::Error::custom(format!("unknown purpose `{name}`")))
        })
    }
}
