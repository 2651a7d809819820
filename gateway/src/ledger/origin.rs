//! Where an event's request comes from, as far as the ledger tells it: plugin, consent, and the fields that were given.

use std::collections::BTreeMap;

use tidegate_event::{Level, Purposes};
use tidegate_plugin_sdk::manifest::Form;

use crate::record::ToSend;

/// What a delivery's record says of where it comes from. Holds no value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The plugin's name and version.
    pub(super) plugin: Box<str>,
    /// SHA-256 of the component that made the request.
    pub(super) digest: Box<str>,
    pub(super) level: Level,
    pub(super) granted: Purposes,
    /// The list of what was given, as it is written; `None` where the record does not say.
    pub(super) given: Option<Box<str>>,
}

/// What stands before a field of which a digest was given.
const DIGEST: char = '#';

/// A field in its form, as a delivery's record has it.
pub fn given(field: &str, form: Form) -> String {
    match form {
        Form::Plain => field.to_owned(),
        Form::Sha256 => format!("{DIGEST}{field}"),
    }
}

impl Default for Origin {
    /// Of nobody knows what.
    fn default() -> Origin {
        let (plugin, digest) = (Box::default(), Box::default());
        Origin { plugin, digest, level: Level::None, granted: Purposes::NONE, given: None }
    }
}

impl Origin {
    /// The origin of a stored delivery.
    pub fn of(stored: &ToSend<'_>) -> Origin {
        Origin {
            plugin: stored.plugin.as_ref().into(),
            digest: stored.digest.as_ref().into(),
            level: stored.consent.level,
            granted: stored.consent.granted,
            given: stored.given.map(|given| given.get().into()),
        }
    }
}

/// The fields of a list that a record has, with their forms. What is no such list was damaged, and stands for a field that
/// nobody knows.
pub(super) fn fields(given: &str) -> BTreeMap<String, Form> {
    let list: Vec<String> = serde_json::from_str(given).unwrap_or_else(|_| vec!["?".to_owned()]);
    let field = |text: String| match text.strip_prefix(DIGEST) {
        Some(field) => (field.to_owned(), Form::Sha256),
        None => (text, Form::Plain),
    };
    list.into_iter().map(field).collect()
}
