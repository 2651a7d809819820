//! OAuth 1.0a: a signature of each request by HMAC-SHA1 (RFC 5849).
//!
//! What is signed is the method, the URL, its query and the protocol's own parameters. A body is signed only where it is
//! a form (section 3.4.1.3.1); JSON is not.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use url::{Position, form_urlencoded};

use crate::delivery::egress::Outgoing;

/// Everything but the unreserved characters (section 3.6).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs.
pub(super) struct Credentials<'a> {
    pub(super) consumer_key: &'a str,
    pub(super) consumer_secret: &'a str,
    pub(super) token: &'a str,
    pub(super) token_secret: &'a str,
}

/// What makes each signature another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) nonce: &'a str,
    pub(super) timestamp_s: u64,
}

type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The value of `Authorization` for a request.
pub(super) fn authorization(credentials: &Credentials<'_>, stamp: Stamp<'_>, outgoing: &Outgoing) -> String {
    let timestamp = stamp.timestamp_s.to_string();
    let mut own = vec![
        ("oauth_consumer_key", credentials.consumer_key),
        ("oauth_nonce", stamp.nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_token", credentials.token),
        ("oauth_version", "1.0"),
    ];
    let signature = signature(credentials, &own, outgoing);
    own.push(("oauth_signature", &signature));
    own.sort_unstable();
    let pairs: Vec<String> = own.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    format!("OAuth {}", pairs.join(", "))
}

/// Section 3.4.2.
fn signature(credentials: &Credentials<'_>, own: &[(&str, &str)], outgoing: &Outgoing) -> String {
    let key = format!("{}&{}", encode(credentials.consumer_secret), encode(credentials.token_secret));
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(base_string(own, outgoing).as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Section 3.4.1.
fn base_string(own: &[(&str, &str)], outgoing: &Outgoing) -> String {
    let own = own.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)));
    let all = own.chain(outgoing.url.query_pairs()).chain(form(outgoing));
    let mut encoded: Vec<(String, String)> = all.map(|(name, value)| (encode(&name), encode(&value))).collect();
    encoded.sort_unstable();
    let pairs: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The URL's type writes scheme and host in lower case, and leaves a scheme's own port out.
    let address = &outgoing.url[..Position::AfterPath];
    format!("{}&{}&{}", outgoing.method, encode(address), encode(&pairs.join("&")))
}

fn form(outgoing: &Outgoing) -> impl Iterator<Item = Parameter<'_>> {
    let kind = outgoing.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    form_urlencoded::parse(if is_form { outgoing.body.as_ref() } else { &[] })
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use url::Url;

    use super::*;
    use crate::destination::Network;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn request(method: Method, url: &str, kind: &'static str, body: &str) -> Outgoing {
        Outgoing {
            network: Network::Public,
            method,
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
            body: body.to_owned().into(),
            timeout_ms: 1,
            response_bytes_max: 1,
        }
    }

    #[test]
    fn the_base_string_is_rfc_5849s_section_3_4_1_1() {
        let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
        let own = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let published = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%2525\
                         3D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oaut\
                         h_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
        assert_eq!(base_string(&own, &request(Method::POST, url, FORM, "c2&a3=2+q")), published);
    }

    #[test]
    fn the_signature_is_rfc_5849s_section_1_2() {
        let credentials = Credentials {
            consumer_key: "dpf43f3p2l4k3l03",
            consumer_secret: "kd94hf93k423kf44",
            token: "nnch734d00sl2jdk",
            token_secret: "pfkkdhi9sl3r4s00",
        };
        let own = [
            ("oauth_consumer_key", credentials.consumer_key),
            ("oauth_token", credentials.token),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ];
        let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        let request = request(Method::GET, url, "application/json", "{}");
        assert_eq!(signature(&credentials, &own, &request), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    /// X, "Creating a signature" and "Authorizing a request".
    #[test]
    fn the_header_is_xs_published_example() {
        let credentials = Credentials {
            consumer_key: "xvz1evFS4wEEPTGEFPHBog",
            consumer_secret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            token_secret: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        };
        let stamp = Stamp { nonce: "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", timestamp_s: 1_318_622_958 };
        let body = "status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21";
        let header = |host: &str| {
            let url = format!("https://{host}/1.1/statuses/update.json?include_entities=true");
            authorization(&credentials, stamp, &request(Method::POST, &url, FORM, body))
        };
        assert_eq!(
            header("api.x.com"),
            "OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", \
             oauth_nonce=\"kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg\", \
             oauth_signature=\"Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D\", oauth_signature_method=\"HMAC-SHA1\", \
             oauth_timestamp=\"1318622958\", oauth_token=\"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb\", \
             oauth_version=\"1.0\""
        );
        let older = header("api.twitter.com");
        assert!(older.contains("oauth_signature=\"hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D\""), "{older}");
    }

    #[test]
    fn json_is_not_signed() {
        let signed =
            |body: &str| base_string(&[], &request(Method::POST, "https://p.example/x", "application/json", body));
        assert_eq!(signed("a=1"), "POST&https%3A%2F%2Fp.example%2Fx&");
        assert_eq!(signed("a=1"), signed("{}"));
    }
}
