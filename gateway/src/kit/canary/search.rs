//! Finds a mark in a part of a request, in whichever form: as it is, encoded, reversed, or as one of the usual digests.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use percent_encoding::percent_decode;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tidegate_plugin_sdk::manifest::{Form, Read};
use tidegate_sandbox::normalize;

use super::Mark;

/// How often percent-encoding and JSON's own are undone: a URL in a JSON text in a form's field.
const LAYERS: usize = 3;

/// A part of a request, made ready to be searched.
pub(super) struct Haystack {
    /// Letters and digits only, in lower case: separators and escapes hide nothing.
    squeezed: String,
    /// As it is, but with the alphabet of Base64 that URLs use made the usual one.
    encoded: String,
}

impl Haystack {
    pub(super) fn new(bytes: &[u8]) -> Haystack {
        let mut layers = vec![String::from_utf8_lossy(bytes).into_owned()];
        for layer in 0..LAYERS {
            let plain = undone(&layers[layer]);
            if plain == layers[layer] {
                break;
            }
            layers.push(plain);
        }
        let squeeze =
            |text: &String| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let squeezed: Vec<String> = layers.iter().map(squeeze).collect();
        // What stands between the layers is in no needle.
        let encoded = layers.join("\n").replace('-', "+").replace('_', "/");
        Haystack { squeezed: squeezed.join(" "), encoded }
    }
}

/// The text without its percent-encoding and its escapes of JSON.
fn undone(text: &str) -> String {
    let decoded = percent_decode(text.as_bytes()).decode_utf8_lossy();
    let mut texts = Vec::new();
    match serde_json::from_str::<Value>(&decoded) {
        Ok(json) => strings(&json, &mut texts),
        // Several values, one in a line, or none at all.
        Err(_) => decoded.lines().for_each(|line| match serde_json::from_str::<Value>(line) {
            Ok(json) => strings(&json, &mut texts),
            Err(_) => texts.push(line.to_owned()),
        }),
    }
    texts.join("\n")
}

fn strings(json: &Value, texts: &mut Vec<String>) {
    match json {
        Value::String(text) => {
            texts.push(text.clone());
            // JSON in a text of JSON; each such text is shorter than the one around it.
            if text.starts_with(['{', '['])
                && let Ok(inner) = serde_json::from_str(text)
            {
                strings(&inner, texts);
            }
        }
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(list) => list.iter().for_each(|one| strings(one, texts)),
        Value::Object(map) => {
            for (key, value) in map {
                texts.push(key.clone());
                strings(value, texts);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The forms of a mark.
pub(super) struct Needles {
    token: String,
    /// Found among letters and digits.
    squeezed: Vec<(&'static str, String)>,
    /// Found in the text as it is.
    encoded: Vec<(&'static str, String)>,
    /// But for the one that was granted.
    digests: Vec<Digested>,
}

struct Digested {
    form: &'static str,
    hex: String,
    base64: String,
}

impl Needles {
    /// The forms of a mark, whose field is granted so. The digest that is granted is none of them: it may leave.
    pub(super) fn new(mark: &Mark, grant: Option<&Read>) -> Needles {
        let Mark { field, value, token } = mark;
        let steps = grant.map(|read| read.normalize.as_slice()).unwrap_or_default();
        let normalized = match field.as_str() {
            "user.phone" => normalize::apply_phone(steps, value),
            _ => normalize::apply(steps, value),
        };
        let whole: BTreeSet<String> =
            [value.clone(), value.to_lowercase(), value.to_uppercase(), normalized.clone(), token.clone()].into();
        // What a normaliser left too little of is no mark any more, and its digest everybody's.
        let whole: Vec<String> = whole.into_iter().filter(|text| text.len() >= 8).collect();
        let granted = grant.filter(|read| read.form == Form::Sha256).map(|_| hex(&Sha256::digest(&normalized)));
        let digests = whole.iter().flat_map(|text| digests(text)).filter(|it| Some(&it.hex) != granted.as_ref());
        let squeezed = [("reversed", token.chars().rev().collect())].into_iter();
        let hexadecimal = whole.iter().map(|text| ("in hexadecimal", hex(text.as_bytes())));
        let encoded = whole.iter().flat_map(|text| base64(text.as_bytes())).map(|text| ("in Base64", text));
        Needles {
            token: token.clone(),
            squeezed: squeezed.chain(hexadecimal).collect(),
            encoded: encoded.collect(),
            digests: digests.collect(),
        }
    }

    /// The form that the mark is there in, but for a digest that was granted.
    pub(super) fn any(&self, haystack: &Haystack) -> Option<&'static str> {
        let is_there = |it: &&Digested| haystack.squeezed.contains(&it.hex) || haystack.encoded.contains(&it.base64);
        self.plain(haystack).or_else(|| self.digests.iter().find(is_there).map(|it| it.form))
    }

    /// The form that the mark is there in, digests left aside.
    pub(super) fn plain(&self, haystack: &Haystack) -> Option<&'static str> {
        if haystack.squeezed.contains(&self.token) {
            return Some("as it is");
        }
        let squeezed = self.squeezed.iter().find(|(_, needle)| haystack.squeezed.contains(needle));
        let encoded = || self.encoded.iter().find(|(_, needle)| haystack.encoded.contains(needle));
        squeezed.or_else(encoded).map(|(form, _)| *form)
    }
}

fn digests(text: &str) -> [Digested; 3] {
    let of = |form, bytes: &[u8]| Digested { form, hex: hex(bytes), base64: STANDARD_NO_PAD.encode(bytes) };
    [
        of("as its SHA-256 digest", &Sha256::digest(text)),
        of("as its SHA-1 digest", &Sha1::digest(text)),
        of("as its MD5 digest", &Md5::digest(text)),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is in the Base64 of any text that has these bytes in it, wherever they begin: three groups of digits do not
/// depend on what stands around.
fn base64(bytes: &[u8]) -> Vec<String> {
    let at = |before: usize| {
        let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
        let whole = padded.len() - padded.len() % 3;
        let text = STANDARD_NO_PAD.encode(&padded[..whole]);
        // The first group shares its bits with what stands before.
        text[if before == 0 { 0 } else { 4 }..].to_owned()
    };
    (0..3).map(at).filter(|text| text.len() >= 8).collect()
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Normalizer::{Lowercase, Trim};

    use super::*;

    fn mark() -> Mark {
        let value = "Bcdfghjklmnpqrst@example.com".to_owned();
        Mark { field: "user.email".into(), value, token: "bcdfghjklmnpqrst".into() }
    }

    fn found(text: &str) -> Option<&'static str> {
        Needles::new(&mark(), None).any(&Haystack::new(text.as_bytes()))
    }

    #[test]
    fn every_form_of_a_mark_is_found() {
        let value = "bcdfghjklmnpqrst@example.com";
        let base64 = |text: &str| STANDARD_NO_PAD.encode(text);
        let all_percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let cases = [
            ("as it is", format!("{{\"email\":\"{value}\"}}")),
            ("as it is", value.to_uppercase()),
            ("as it is", value.chars().map(|c| format!("{c} ")).collect()),
            ("as it is", all_percent.clone()),
            ("as it is", all_percent.replace('%', "%25")),
            ("as it is", format!("{{\"data\":\"{{\\\"e\\\":\\\"\\\\u0062{}\\\"}}\"}}", &value[1..])),
            ("as it is", format!("{{\"n\":1}}\n{{\"e\":\"\\u0062{}\"}}\n", &value[1..])),
            ("reversed", value.chars().rev().collect()),
            ("in hexadecimal", hex(value.as_bytes()).to_uppercase()),
            ("in Base64", base64(&format!("x{value}"))),
            ("in Base64", base64(&format!("xy{value}z"))),
            ("in Base64", base64(&format!("{{\"e\":\"{value}\"}}")).replace('+', "-").replace('/', "_")),
            ("as its SHA-256 digest", hex(&Sha256::digest(value)).to_uppercase()),
            ("as its SHA-256 digest", STANDARD_NO_PAD.encode(Sha256::digest(mark().value))),
            ("as its SHA-1 digest", hex(&Sha1::digest(value))),
            ("as its MD5 digest", format!("{{\"id\": \"{}\"}}", hex(&Md5::digest(value)))),
        ];
        for (form, text) in cases {
            assert_eq!(found(&text), Some(form), "{text}");
        }
    }

    #[test]
    fn what_is_not_the_mark_is_not_found() {
        let other = hex(&Sha256::digest("somebody@example.com"));
        assert_eq!(found(&format!("{{\"email\": \"{other}\", \"city\": \"Bcdfghjkl\"}}")), None);
    }

    #[test]
    fn a_digest_that_was_granted_may_leave_and_the_raw_values_may_not() {
        let digest = hex(&Sha256::digest("bcdfghjklmnpqrst@example.com"));
        let grant = Read { form: Form::Sha256, normalize: vec![Trim, Lowercase], why: "match key".into() };
        let needles = Needles::new(&mark(), Some(&grant));
        assert_eq!(needles.any(&Haystack::new(digest.as_bytes())), None);
        assert_eq!(found(&digest), Some("as its SHA-256 digest"));
        let raw = hex(&Sha256::digest(mark().value));
        assert_eq!(needles.any(&Haystack::new(raw.as_bytes())), Some("as its SHA-256 digest"));
    }
}
