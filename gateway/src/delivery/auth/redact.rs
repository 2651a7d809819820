//! Takes secrets out of what is shown: of a request that has been authenticated, and of an answer that may repeat it.
//!
//! Owns the forms that a secret takes on its way: as it is, in a URL's query or path, inside JSON, in Base64, behind `Bearer`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::Secrets;

/// What knows the secrets of a destination, and shows their names instead.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, and what is shown for it.
    needles: BTreeMap<String, String>,
}

/// What is shown for a credential that is no secret of the configuration's: a signature, an access token.
const REDACTED: &str = "<redacted>";
/// What is shorter stands in answers by chance.
const CONCEALED: usize = 8;
const SCHEMES: [&str; 3] = ["Bearer", "Basic", "OAuth"];

impl Redactor {
    /// One that knows these secrets.
    pub fn new(secrets: &Secrets) -> Redactor {
        let mut redactor = Redactor::default();
        for (name, secret) in secrets {
            let shown = format!("<secret {name}>");
            redactor.know(secret.reveal(), &shown);
            // A webhook's secret may be several; a service account's key is a file with a key in it.
            let parts = secret.reveal().split_whitespace().filter(|part| part.len() > 8);
            parts.for_each(|part| redactor.know(part, &shown));
            if let Ok(Value::Object(file)) = serde_json::from_str(secret.reveal()) {
                let key = file.get("private_key").and_then(Value::as_str);
                key.into_iter().for_each(|key| redactor.know(key, &shown));
            }
        }
        redactor
    }

    /// Learns what a header carries that is not to be shown, so that it is not shown elsewhere either.
    pub fn learn(&mut self, value: &HeaderValue) {
        let Ok(text) = value.to_str() else { return };
        if value.is_sensitive() && !self.knows(value) {
            self.know(parts(text).1, REDACTED);
        }
    }

    /// Whether what a header carries is one of the secrets, or was learned.
    pub(super) fn knows(&self, value: &HeaderValue) -> bool {
        value.to_str().is_ok_and(|text| self.needles.contains_key(parts(text).1))
    }

    /// A header as it is shown.
    pub fn header(&self, value: &HeaderValue) -> String {
        let text = String::from_utf8_lossy(value.as_bytes());
        if !value.is_sensitive() {
            return self.clean(&text);
        }
        let (scheme, credential) = parts(&text);
        let shown = self.needles.get(credential).map_or(REDACTED, String::as_str);
        if scheme.is_empty() { shown.to_owned() } else { format!("{scheme} {shown}") }
    }

    /// A text without any secret: at each place the longest of them that stands there is replaced.
    pub fn clean(&self, text: &str) -> String {
        let mut cleaned = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let here = self.needles.iter().filter(|(needle, _)| rest.starts_with(needle.as_str()));
            match here.max_by_key(|(needle, _)| needle.len()) {
                Some((needle, shown)) => {
                    cleaned.push_str(shown);
                    rest = &rest[needle.len()..];
                }
                None => {
                    cleaned.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        cleaned
    }

    /// A text with nothing in the place of each secret but a mark, for those who are not to learn even their names; `None`
    /// where there is none in it, or none but such as are too short to tell from chance.
    pub(super) fn conceal(&self, text: &str) -> Option<String> {
        let known = self.needles.keys().map(String::as_str);
        let mut there: Vec<&str> = known.filter(|needle| needle.len() >= CONCEALED && text.contains(needle)).collect();
        // One may contain another.
        there.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        (!there.is_empty()).then(|| there.iter().fold(text.to_owned(), |text, needle| text.replace(needle, "…")))
    }

    fn know(&mut self, secret: &str, shown: &str) {
        let json = Value::String(secret.to_owned()).to_string();
        let json = json.trim_matches('"');
        let encoded = [
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            in_path(secret),
        ];
        let forms = [
            secret.to_owned(),
            json.to_owned(),
            json.replace('/', "\\/"),
            BASE64_STANDARD_NO_PAD.encode(secret),
            BASE64_URL_SAFE_NO_PAD.encode(secret),
        ];
        let in_lower_case = encoded.each_ref().map(|form| lower_escapes(form));
        let forms = forms.into_iter().chain(encoded).chain(in_lower_case).filter(|form| !form.is_empty());
        self.needles.extend(forms.map(|form| (form, shown.to_owned())));
    }
}

/// A credential's scheme, where it has one, and the credential.
fn parts(text: &str) -> (&str, &str) {
    text.split_once(' ').filter(|(scheme, _)| SCHEMES.contains(scheme)).unwrap_or(("", text))
}

/// Percent-encoded text as those write it who prefer `%2f` to `%2F`.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |lower, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower + "%" + &digits.to_ascii_lowercase() + rest
    })
}

/// How a secret stands in a URL's path.
fn in_path(secret: &str) -> String {
    let Ok(mut url) = Url::parse("https://p.example/") else { return String::new() };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(secret.trim_matches('/').split('/'));
    }
    url.path().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn redactor(secret: &str) -> Redactor {
        Redactor::new(&[("key".to_owned(), Secret::new(secret))].into())
    }

    fn sensitive(text: &str) -> HeaderValue {
        let mut value = HeaderValue::from_str(text).unwrap();
        value.set_sensitive(true);
        value
    }

    #[test]
    fn a_secret_is_not_shown_in_any_form_that_it_takes() {
        let secret = r#"a/b c"d&é"#;
        let redactor = redactor(secret);
        let mut url = Url::parse("https://p.example/x").unwrap();
        url.query_pairs_mut().append_pair("key", secret);
        assert_eq!(redactor.clean(url.as_str()), "https://p.example/x?key=<secret key>");
        let mut url = Url::parse("https://p.example/x").unwrap();
        url.path_segments_mut().unwrap().extend(secret.split('/'));
        assert_eq!(redactor.clean(url.as_str()), "https://p.example/x/<secret key>");
        let json = serde_json::json!({ "key": secret, "other": "b" }).to_string();
        assert_eq!(redactor.clean(&json), r#"{"key":"<secret key>","other":"b"}"#);
        assert_eq!(redactor.clean(&format!("{secret} is wrong")), "<secret key> is wrong");
    }

    #[test]
    fn a_header_that_carries_credentials_shows_their_name_or_nothing() {
        let mut redactor = redactor("token-1");
        assert_eq!(redactor.header(&sensitive("Bearer token-1")), "Bearer <secret key>");
        assert_eq!(redactor.header(&sensitive("token-1")), "<secret key>");
        assert_eq!(redactor.header(&sensitive("Basic dG9rZW4tMTo=")), "Basic <redacted>");
        assert_eq!(redactor.header(&HeaderValue::from_static("application/json")), "application/json");
        redactor.learn(&sensitive("Bearer access-2"));
        redactor.learn(&sensitive("Bearer token-1"));
        assert_eq!(redactor.clean("access-2 of token-1 is refused"), "<redacted> of <secret key> is refused");
    }

    #[test]
    fn each_of_several_secrets_and_a_files_own_key_are_known() {
        let both = redactor("whsec_MfKQ9r8GKYqr whsec_AAAABBBBCCCC");
        assert_eq!(both.clean("not whsec_AAAABBBBCCCC"), "not <secret key>");
        let file = serde_json::json!({ "private_key": "-----BEGIN\nMIIE\n" }).to_string();
        assert_eq!(redactor(&file).clean("what of -----BEGIN\nMIIE\n?"), "what of <secret key>?");
    }
}
