//! A service account's key, the JSON that Google gives, and the signed assertion that is exchanged for a token.
//!
//! RFC 7523 and <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>. Of the file, the
//! address and the private key count; its `token_uri` does not, for the manifest says where secrets go.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Error;
use crate::config::Secret;

/// The most that an assertion may be good for, by Google's rules.
const LIFETIME_S: u64 = 3_600;

/// A key that is ready to sign.
pub(super) struct Key {
    /// The name of the secret, for people.
    name: String,
    email: String,
    id: Option<String>,
    pair: RsaKeyPair,
}

impl Key {
    /// Reads a key. What is wrong with one is said without anything of it.
    pub(super) fn parse(name: &str, secret: &Secret) -> Result<Key, Error> {
        let wrong = |problem| Error::ServiceAccount { secret: name.into(), problem };
        let file: Value = serde_json::from_str(secret.reveal())
            .map_err(|_| wrong("it is no JSON; it has to hold the whole file that Google gives"))?;
        let field = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let email = field("client_email").ok_or_else(|| wrong("it has no `client_email`"))?.to_owned();
        let pem = field("private_key").ok_or_else(|| wrong("it has no `private_key`"))?;
        let der = unarmour(pem).ok_or_else(|| wrong("its `private_key` is no PKCS#8 key in PEM"))?;
        let pair =
            RsaKeyPair::from_pkcs8(&der).map_err(|_| wrong("its `private_key` is no RSA key of 2048 bits or more"))?;
        let id = field("private_key_id").map(str::to_owned);
        Ok(Key { name: name.to_owned(), email, id, pair })
    }

    /// A signed assertion that the account asks this audience for a token to this scope.
    pub(super) fn assertion(&self, audience: &str, scope: &str, now_s: u64) -> Result<String, Error> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.id {
            header["kid"] = json!(id);
        }
        let claims = json!({
            "iss": self.email,
            "scope": scope,
            "aud": audience,
            "iat": now_s,
            "exp": now_s.saturating_add(LIFETIME_S),
        });
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        let failed = |_| Error::ServiceAccount { secret: self.name.clone(), problem: "it cannot sign" };
        signed.map(|()| signature).map_err(failed)
    }
}

/// What stands between the lines of a PEM file.
fn unarmour(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (inside, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let inside: String = inside.split_whitespace().collect();
    BASE64_STANDARD.decode(inside).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7515, appendix A.2, as PKCS#8.
    const RFC_7515: &str = include_str!("rfc7515-a2.pem");

    fn key(file: &Value) -> Result<Key, Error> {
        Key::parse("key", &Secret::new(file.to_string()))
    }

    fn file() -> Value {
        json!({
            "type": "service_account",
            "private_key_id": "key-of-the-tests",
            "private_key": RFC_7515,
            "client_email": "tidegate@project.iam.gserviceaccount.com",
            "token_uri": "https://evil.example/token",
        })
    }

    #[test]
    fn the_signature_is_rfc_7515s_appendix_a_2() {
        let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                     c19yb290Ijp0cnVlfQ";
        let published = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju\
                         jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07\
                         Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipU\
                         TI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let signature = key(&file()).unwrap().sign(input.as_bytes()).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(signature), published);
    }

    /// RS256 gives the same signature every time; this one was made by OpenSSL from the same header and claims.
    #[test]
    fn the_assertion_is_what_openssl_signs_of_the_claims_that_google_asks_for() {
        let scope = "https://www.googleapis.com/auth/bigquery.insertdata";
        let made =
            key(&file()).unwrap().assertion("https://oauth2.googleapis.com/token", scope, 1_800_000_000).unwrap();
        assert_eq!(made, include_str!("assertion.jwt").trim_end());
        let claims = made.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let expected = json!({
            "iss": "tidegate@project.iam.gserviceaccount.com",
            "scope": scope,
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_800_000_000,
            "exp": 1_800_003_600,
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_without_anything_of_it() {
        let said = |file: &Value| key(file).map(drop).unwrap_err().to_string();
        let with = |name: &str, value: Value| {
            let mut file = file();
            file[name] = value;
            file
        };
        let start = "secret `key` is no key of a service account: ";
        let no_json = "it is no JSON; it has to hold the whole file that Google gives";
        let error = Key::parse("key", &Secret::new(RFC_7515)).map(drop).unwrap_err().to_string();
        assert_eq!(error, format!("{start}{no_json}"));
        assert_eq!(said(&with("client_email", Value::Null)), format!("{start}it has no `client_email`"));
        assert_eq!(said(&with("private_key", json!(7))), format!("{start}it has no `private_key`"));
        let no_pem = format!("{start}its `private_key` is no PKCS#8 key in PEM");
        assert_eq!(said(&with("private_key", json!("MIIE"))), no_pem);
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";
        let no_key = format!("{start}its `private_key` is no RSA key of 2048 bits or more");
        assert_eq!(said(&with("private_key", json!(pem))), no_key);
    }
}
