//! An entry as it leaves the store: a line of JSON with its place in the chain, so that its hash can be checked anywhere.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_queue::chain::{Hash, Link};

/// One entry with its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    seq: u64,
    at_ms: u64,
    /// The hash of the entry before it.
    prev: String,
    hash: String,
    /// The entry as it was written, to the byte: the hash is of these bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<Box<RawValue>>,
    /// Instead of it, where it is no JSON on one line: somebody has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is no line of a ledger's export: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`{0}` is no hash: 64 hexadecimal digits")]
    Hash(String),
    #[error("it has neither an `entry` nor a `base64`")]
    Empty,
    #[error("its `base64` is none")]
    Base64,
}

impl PartialEq for Line {
    fn eq(&self, other: &Line) -> bool {
        let entry = |line: &Line| line.entry.as_deref().map(|raw| raw.get().to_owned());
        let place = |line: &Line| (line.seq, line.at_ms, line.prev.clone(), line.hash.clone());
        place(self) == place(other) && entry(self) == entry(other) && self.base64 == other.base64
    }
}

impl Eq for Line {}

impl Line {
    /// Reads a line's text.
    ///
    /// # Errors
    /// When it is no such line.
    pub fn parse(text: &str) -> Result<Link, Error> {
        Link::try_from(serde_json::from_str::<Line>(text)?)
    }
}

impl From<Link> for Line {
    fn from(link: Link) -> Line {
        let Link { seq, at_ms, prev, hash, bytes } = link;
        let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains(['\n', '\r']));
        // A raw value begins and ends without white space, so what is read back is what was written.
        let raw = text.filter(|text| text.trim().len() == text.len());
        let entry = raw.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        let base64 = entry.is_none().then(|| BASE64_STANDARD.encode(&bytes));
        Line { seq, at_ms, prev: prev.to_string(), hash: hash.to_string(), entry, base64 }
    }
}

impl TryFrom<Line> for Link {
    type Error = Error;

    fn try_from(line: Line) -> Result<Link, Error> {
        let hash = |text: String| Hash::parse(&text).ok_or(Error::Hash(text));
        let bytes = match (line.entry, line.base64) {
            (Some(entry), _) => entry.get().as_bytes().to_vec(),
            (None, Some(text)) => BASE64_STANDARD.decode(text).map_err(|_| Error::Base64)?,
            (None, None) => return Err(Error::Empty),
        };
        Ok(Link { seq: line.seq, at_ms: line.at_ms, prev: hash(line.prev)?, hash: hash(line.hash)?, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_to_the_byte() {
        for bytes in [&br#"{"v":1, "x":  [1.50,"\u00fc"]}"#[..], b" {}", b"{}\n", b"not json", b"\xff\x00", b""] {
            let (prev, hash) = (Hash([7; 32]), Hash([9; 32]));
            let link = Link { seq: 3, at_ms: 5, prev, hash, bytes: bytes.to_vec() };
            let text = serde_json::to_string(&Line::from(link.clone())).unwrap();
            assert!(!text.contains('\n'));
            assert_eq!(Line::parse(&text).unwrap(), link);
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let sound = format!(r#"{{"seq":1,"at_ms":1,"prev":"{0}","hash":"{0}","entry":{{}}}}"#, "0".repeat(64));
        assert!(Line::parse(&sound).is_ok());
        for (odd, why) in [
            ("[]".to_owned(), "no line of a ledger"),
            (sound.replacen(&"0".repeat(64), "00", 1), "`00` is no hash"),
            (sound.replace(r#","entry":{}"#, ""), "neither"),
            (sound.replace(r#""entry":{}"#, r#""base64":"?""#), "`base64` is none"),
            (sound.replace(r#""seq""#, r#""x":1,"seq""#), "unknown field"),
        ] {
            let error = Line::parse(&odd).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
