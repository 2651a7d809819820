//! The reads of `user.…`: ids and identifiers, normalised, plain or as digests.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tidegate_event::Event;
use tidegate_plugin_sdk::manifest::{Form, Normalizer, Read};

use crate::contract::Identifier;
use crate::digest::hex;
use crate::normalize;

/// What is granted of who the event is about.
#[derive(Debug, Clone)]
pub(super) struct User {
    anonymous_id: Option<Grant>,
    id: Option<Grant>,
    /// By key: `email`, `phone`.
    identifiers: BTreeMap<String, Grant>,
    /// `user.*`: every other identifier, and the ids.
    rest: Option<Grant>,
}

#[derive(Debug, Clone)]
struct Grant {
    form: Form,
    steps: Vec<Normalizer>,
}

impl User {
    pub(super) fn new(reads: &BTreeMap<String, Read>) -> User {
        let granted = reads.iter().filter_map(|(field, read)| {
            let grant = Grant { form: read.form, steps: read.normalize.clone() };
            Some((field.strip_prefix("user.")?.to_owned(), grant))
        });
        let mut identifiers: BTreeMap<String, Grant> = granted.collect();
        let rest = identifiers.remove("*");
        let anonymous_id = identifiers.remove("anonymous_id").or_else(|| rest.clone());
        let id = identifiers.remove("id").or_else(|| rest.clone());
        User { anonymous_id, id, identifiers, rest }
    }

    pub(super) fn anonymous_id(&self, event: &Event) -> Option<String> {
        self.anonymous_id.as_ref()?.hand_over("anonymous_id", event.anonymous_id.as_ref()?)
    }

    pub(super) fn user_id(&self, event: &Event) -> Option<String> {
        self.id.as_ref()?.hand_over("id", event.user_id.as_ref()?)
    }

    pub(super) fn identifiers(&self, event: &Event) -> Vec<Identifier> {
        let mut list: Vec<Identifier> = event
            .identifiers
            .iter()
            .filter_map(|(key, value)| {
                let grant = self.identifiers.get(key).or(self.rest.as_ref())?;
                Some(Identifier { key: key.clone(), value: grant.hand_over(key, value)? })
            })
            .collect();
        list.extend(self.external_id_of_user(event));
        list
    }

    /// The user's id stands in for an external id that nobody gave, where that was granted by its name.
    fn external_id_of_user(&self, event: &Event) -> Option<Identifier> {
        const KEY: &str = "external_id";
        let grant = self.identifiers.get(KEY).filter(|_| !event.identifiers.contains_key(KEY))?;
        Some(Identifier { key: KEY.to_owned(), value: grant.hand_over(KEY, event.user_id.as_ref()?)? })
    }
}

impl Grant {
    /// The value in its granted form; nothing when nothing is left of it.
    fn hand_over(&self, key: &str, value: &str) -> Option<String> {
        if self.form == Form::Sha256 && is_digest(value.trim()) {
            return Some(value.trim().to_ascii_lowercase());
        }
        let normalized = match key {
            "phone" => normalize::apply_phone(&self.steps, value),
            _ => normalize::apply(&self.steps, value),
        };
        // White space is nobody, and its digest would be somebody.
        if normalized.trim().is_empty() {
            return None;
        }
        Some(match self.form {
            Form::Plain => normalized,
            Form::Sha256 => hex(&Sha256::digest(normalized)),
        })
    }
}

fn is_digest(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
}
