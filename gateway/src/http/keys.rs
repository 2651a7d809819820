//! Keys: which site a request belongs to, and whether a browser or a backend may have sent it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Uri, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::config::Config;

/// What a key gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// Index of the site.
    pub(super) site: usize,
    pub(super) trust: Trust,
}

/// What kind of key it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A write key: anybody can read it in a page.
    Public,
    /// An API key: only a backend has it.
    Secret,
}

/// All keys, by their digests: looking one up tells nothing of the others by its time.
#[derive(Debug)]
pub(super) struct Keys {
    grants: HashMap<[u8; 32], Grant>,
}

impl Keys {
    pub(super) fn new(config: &Config) -> Keys {
        let mut grants = HashMap::new();
        for (site, of) in config.sites.iter().enumerate() {
            for key in &of.write_keys {
                grants.insert(digest(key), Grant { site, trust: Trust::Public });
            }
            for key in &of.api_keys {
                grants.insert(digest(key.reveal()), Grant { site, trust: Trust::Secret });
            }
        }
        Keys { grants }
    }

    /// What the first presented key that is known gives: a proxy's own login may stand where clients put keys. A secret key
    /// that is not in the head counts only where it is the first: with an unknown one before it, nothing is tried.
    pub(super) fn grant(&self, presented: &[Presented]) -> Option<Grant> {
        let known = |key: &Presented| self.grants.get(&digest(&key.key)).copied();
        presented.iter().enumerate().find_map(|(index, key)| {
            known(key).filter(|grant| grant.trust == Trust::Public || key.place == Place::Header || index == 0)
        })
    }
}

/// A key that a request presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presented {
    place: Place,
    key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
    Query,
}

/// The keys that a request presents, in this order: Basic (as user) or Bearer, `X-Write-Key`, the body's, the query's.
pub(super) fn presented(headers: &HeaderMap, body_key: Option<&str>, uri: &Uri) -> Vec<Presented> {
    let own_header = headers.get("x-write-key").and_then(|value| value.to_str().ok());
    let places = [
        (Place::Header, from_authorization(headers)),
        (Place::Header, own_header.map(str::to_owned)),
        (Place::Body, body_key.map(str::to_owned)),
        (Place::Query, from_query(uri)),
    ];
    let keys = places.into_iter().filter_map(|(place, key)| Some((place, key?.trim().to_owned())));
    let keys = keys.filter(|(_, key)| !key.is_empty() && key.len() <= 512);
    keys.map(|(place, key)| Presented { place, key }).collect()
}

fn from_authorization(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    Some(pair.split_once(':').map_or(pair.as_str(), |(user, _)| user).to_owned())
}

fn from_query(uri: &Uri) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, raw) = pairs.into_iter().find(|(name, _)| matches!(*name, "writeKey" | "write_key"))?;
    percent_decode_str(raw).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: Grant = Grant { site: 0, trust: Trust::Public };
    const SECRET: Grant = Grant { site: 0, trust: Trust::Secret };

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn found(pairs: &[(&'static str, &str)], body_key: Option<&str>, uri: &str) -> Vec<String> {
        let presented = presented(&headers(pairs), body_key, &uri.parse().unwrap());
        presented.into_iter().map(|presented| presented.key).collect()
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        let (plain, query) = ("/v1/batch", "/v1/batch?a=b&writeKey=k%65y");
        assert_eq!(found(&[("authorization", "Basic a2V5Og==")], None, plain), ["key"]);
        assert_eq!(found(&[("authorization", "Bearer key")], None, plain), ["key"]);
        assert_eq!(found(&[("x-write-key", "key")], None, plain), ["key"]);
        assert_eq!(found(&[], Some("key"), plain), ["key"]);
        assert_eq!(found(&[], None, query), ["key"]);
        for nothing in ["Basic !!!", "Bearer  ", "Digest key"] {
            assert!(found(&[("authorization", nothing)], None, plain).is_empty(), "{nothing}");
        }
        let all = [("x-write-key", "own"), ("authorization", "Bearer first")];
        assert_eq!(found(&all, Some("body"), query), ["first", "own", "body", "key"]);
    }

    #[test]
    fn the_first_known_key_counts_and_a_secret_one_in_a_body_only_by_itself() {
        let grants = [(digest("public"), PUBLIC), (digest("secret"), SECRET)].into();
        let keys = Keys { grants };
        let granted = |pairs: &[(&'static str, &str)], body_key, uri: &str| {
            keys.grant(&presented(&headers(pairs), body_key, &uri.parse().unwrap()))
        };
        let login = ("authorization", "Basic c3RhZ2luZzpwYXNz");
        assert_eq!(granted(&[login], Some("public"), "/"), Some(PUBLIC), "a staging shop's own login comes first");
        assert_eq!(granted(&[login], None, "/?writeKey=public"), Some(PUBLIC));
        assert_eq!(granted(&[login, ("x-write-key", "secret")], None, "/"), Some(SECRET));
        assert_eq!(granted(&[login], Some("secret"), "/"), None);
        assert_eq!(granted(&[login], None, "/?writeKey=secret"), None);
        assert_eq!(granted(&[login], Some("unknown"), "/"), None);
        assert_eq!(granted(&[login], None, "/"), None);
        assert_eq!(granted(&[], Some("secret"), "/"), Some(SECRET));
        // A public key that is known before it is the request's: nothing behind it adds trust.
        assert_eq!(granted(&[("x-write-key", "public")], Some("secret"), "/"), Some(PUBLIC));
        assert_eq!(granted(&[("x-write-key", "secret")], Some("public"), "/"), Some(SECRET));
        assert_eq!(granted(&[], Some("public"), "/?writeKey=secret"), Some(PUBLIC));
    }
}
