//! `[[plugins.publisher]]`: whose plugins are known by which minisign keys.
//!
//! Owns a public key's form. Verifies nothing.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use super::parse::name;
use super::reader::{Complaint, Node, Section};

/// What a key begins with: which algorithm it is for, then its id, then the key itself.
const ALGORITHM_BYTES: usize = 2;
const ID_BYTES: usize = 8;

/// `[[plugins.publisher]]`: somebody whose plugins may run.
#[derive(Debug, Clone)]
pub struct Publisher {
    pub name: String,
    /// `keys`: what they sign with.
    pub keys: Vec<Key>,
    /// `retired_keys`: what they signed with. Good for what the lock approved already, and nothing else.
    pub retired_keys: Vec<Key>,
}

/// A minisign public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    id: KeyId,
    public: minisign_verify::PublicKey,
}

/// The id of a key, as minisign writes it: 16 upper-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl Key {
    /// Reads `RWQ…`, or the two lines of the file that minisign makes.
    pub fn parse(text: &str) -> Option<Key> {
        let key = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        let public = minisign_verify::PublicKey::from_base64(key).ok()?;
        Some(Key { id: KeyId::of(key)?, public })
    }

    /// What signatures name it by.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key, for whoever verifies.
    pub fn public(&self) -> &minisign_verify::PublicKey {
        &self.public
    }
}

impl KeyId {
    /// The id in the base64 of a key or a signature.
    pub fn of(base64: &str) -> Option<KeyId> {
        let bytes = BASE64_STANDARD.decode(base64).ok()?;
        let id = bytes.get(ALGORITHM_BYTES..ALGORITHM_BYTES + ID_BYTES)?;
        // Minisign shows it as a number, whose last byte comes first in the file.
        Some(KeyId(id.iter().rev().map(|byte| format!("{byte:02X}")).collect()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KeyId> for String {
    fn from(KeyId(id): KeyId) -> String {
        id
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;
    fn try_from(text: String) -> Result<KeyId, String> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        if text.len() == 2 * ID_BYTES && text.bytes().all(digit) {
            return Ok(KeyId(text));
        }
        Err(format!("`{}` is no id of a key: 16 upper-case hexadecimal digits", text.escape_debug()))
    }
}

/// Every publisher of the configuration.
pub(super) fn all(plugins: &Section<'_>) -> Option<Vec<Publisher>> {
    let sections = plugins.get("publisher").map(|node| node.sections()).unwrap_or_else(|| Some(Vec::new()))?;
    let mut names = Vec::new();
    let mut publishers: Vec<Option<Publisher>> = Vec::new();
    for section in sections {
        let name = section.required("name", "\"acme\"").and_then(|node| name(&node, "publisher", &names));
        names.extend(name.clone().map(|name| (name, section.line)));
        let mut taken: Vec<Key> =
            publishers.iter().flatten().flat_map(|it| it.keys.iter().chain(&it.retired_keys)).cloned().collect();
        let keys = keys(section.list("keys"), &mut taken);
        let retired_keys = self::keys(section.list("retired_keys"), &mut taken);
        if keys.as_ref().is_some_and(Vec::is_empty) && retired_keys.as_ref().is_some_and(Vec::is_empty) {
            let missing = Mistake::error(section.line, "a publisher without `keys`");
            section
                .reader
                .report(missing.hint("add `keys = [\"RWQ…\"]`: the second line of the publisher's `minisign.pub`"));
        }
        section.finish();
        publishers.push(name.zip(keys).zip(retired_keys).map(|((name, keys), retired_keys)| Publisher {
            name,
            keys,
            retired_keys,
        }));
    }
    publishers.into_iter().collect()
}

/// Reads a list of keys; one that is there already is a mistake, for nobody could say whose signature it made.
fn keys(list: Vec<Node<'_>>, taken: &mut Vec<Key>) -> Option<Vec<Key>> {
    let one = |node: Node<'_>| {
        let key = node.parsed(|text| {
            let hint = "the second line of the publisher's `minisign.pub`: it begins with `RW` and has 56 characters";
            Key::parse(text).ok_or_else(|| Complaint { what: "is no minisign public key", hint: hint.to_owned() })
        })?;
        if taken.contains(&key) {
            node.wrong(format!("the key `{}` is listed twice", key.id), "a key belongs to one publisher, in one list");
            return None;
        }
        taken.push(key.clone());
        Some(key)
    };
    list.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_key_is_known_by_the_id_that_minisign_shows() {
        let key = Key::parse(KEY).unwrap();
        assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        assert_eq!(Key::parse(&file), Some(key));
        for wrong in ["", "RWQ", &KEY[1..], &KEY.replace("RWQ", "AAA")] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_is_16_digits() {
        assert!(KeyId::try_from("E7620F1842B4E81F".to_owned()).is_ok());
        for wrong in ["", "E7620F1842B4E81", "e7620f1842b4e81f", "E7620F1842B4E81G"] {
            assert!(KeyId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
