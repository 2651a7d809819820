//! Checks the signature of a request by this file's own reading of RFC 5849, so that the gateway's and the fake's mistakes
//! are not the same mistakes. The fake listens without TLS: the base string's scheme is `http`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use crate::Received;

/// How far the timestamp may be from X's clock, either way. From memory.
const TOLERANCE_S: i64 = 5 * 60;

/// A user's access to an app.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) consumer_key: &'static str,
    pub(super) consumer_secret: &'static str,
    pub(super) token: &'static str,
    pub(super) token_secret: &'static str,
}

impl Credentials {
    /// Whether the request is this user's and recent; `now_ms` is Unix time.
    pub(super) fn check(&self, request: &Received, now_ms: i64) -> Result<(), String> {
        let header = request.header("authorization").ok_or("the header authorization is missing")?;
        let given = parameters(header)?;
        let one = |name: &str| {
            let mut values = given.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => Err(format!("{name} is missing")),
                (Some(_), Some(_)) => Err(format!("{name} is there twice")),
            }
        };
        for (name, expected) in [
            ("oauth_consumer_key", self.consumer_key),
            ("oauth_token", self.token),
            ("oauth_signature_method", "HMAC-SHA1"),
        ] {
            if one(name)? != expected {
                return Err(format!("{name} is not {expected}"));
            }
        }
        if given.iter().any(|(name, value)| name == "oauth_version" && value != "1.0") {
            return Err("oauth_version is not 1.0".to_owned());
        }
        if one("oauth_nonce")?.is_empty() {
            return Err("oauth_nonce is empty".to_owned());
        }
        let at_s: i64 = one("oauth_timestamp")?.parse().map_err(|_| "oauth_timestamp is no number")?;
        let off_s = now_ms.div_euclid(1000).saturating_sub(at_s);
        if off_s.abs() > TOLERANCE_S {
            return Err(format!("oauth_timestamp is {off_s} s off"));
        }
        let base = base_string(request, &given)?;
        let signature = STANDARD.decode(one("oauth_signature")?).map_err(|_| "oauth_signature is no base64")?;
        self.mac(&base)?.verify_slice(&signature).map_err(|_| format!("does not fit `{base}`"))
    }

    /// Section 3.4.2: both secrets are encoded, and joined by `&`.
    fn mac(&self, base: &str) -> Result<Hmac<Sha1>, String> {
        let key = format!("{}&{}", encode(self.consumer_secret), encode(self.token_secret));
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).map_err(|error| error.to_string())?;
        mac.update(base.as_bytes());
        Ok(mac)
    }
}

/// Section 3.5.1: `OAuth realm="…", oauth_nonce="…"`, names and values percent-encoded.
fn parameters(header: &str) -> Result<Vec<(String, String)>, String> {
    let list = header.strip_prefix("OAuth ").ok_or("the header authorization is not of the scheme OAuth")?;
    let pair = |text: &str| {
        let (name, value) = text.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        Some((decode(name)?, decode(value)?))
    };
    list.split(',').map(|text| pair(text).ok_or_else(|| format!("`{text}` is no parameter"))).collect()
}

/// Section 3.4.1. The body is JSON and no form, and takes no part.
fn base_string(request: &Received, given: &[(String, String)]) -> Result<String, String> {
    let host = request.header("host").ok_or("the header host is missing")?.to_ascii_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let signed = given.iter().filter(|(name, _)| name != "oauth_signature" && name != "realm");
    let mut all: Vec<(String, String)> =
        signed.chain(&request.query).map(|(name, value)| (encode(name), encode(value))).collect();
    all.sort();
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let address = format!("http://{host}{}", request.path);
    Ok(format!("{}&{}&{}", request.method.to_uppercase(), encode(&address), encode(&all.join("&"))))
}

/// Section 3.6: everything but letters, digits and `-._~` as `%XX`, in upper case.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    /// The example of RFC 5849, section 1.2.
    const CREDENTIALS: Credentials = Credentials {
        consumer_key: "dpf43f3p2l4k3l03",
        consumer_secret: "kd94hf93k423kf44",
        token: "nnch734d00sl2jdk",
        token_secret: "pfkkdhi9sl3r4s00",
    };
    const HEADER: &str = "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", \
         oauth_token=\"nnch734d00sl2jdk\", oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131202\", \
         oauth_nonce=\"chapoH\", oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\"";

    fn request(header: &str) -> Received {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("Photos.Example.net:80"));
        headers.insert("authorization", HeaderValue::from_str(header).unwrap());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Received {
            order: 0,
            arrived_ms: 0,
            method: "GET".to_owned(),
            path: "/photos".to_owned(),
            query: vec![pair("file", "vacation.jpg"), pair("size", "original")],
            headers,
            body: bytes::Bytes::new(),
            json: None,
            status: None,
            events: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_right() {
        assert_eq!(CREDENTIALS.check(&request(HEADER), 137_131_202_000), Ok(()));
    }

    #[test]
    fn anything_else_is_not() {
        for (from, to) in [
            ("chapoH", "chapoI"),
            ("MdpQ", "MdpR"),
            ("HMAC-SHA1", "PLAINTEXT"),
            ("nnch", "nnci"),
            ("OAuth ", "Bearer "),
            ("oauth_nonce=\"chapoH\", ", ""),
        ] {
            let outcome = CREDENTIALS.check(&request(&HEADER.replace(from, to)), 137_131_202_000);
            assert!(outcome.is_err(), "{from} as {to}");
        }
        assert!(CREDENTIALS.check(&request(HEADER), 137_131_202_000 + 301_000).is_err(), "too late");
        let other = Credentials { token_secret: "other", ..CREDENTIALS };
        assert!(other.check(&request(HEADER), 137_131_202_000).is_err());
    }
}
