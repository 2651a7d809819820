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

    /// What a presented key gives.
    pub(super) fn grant(&self, key: &str) -> Option<Grant> {
        self.grants.get(&digest(key)).copied()
    }
}

/// The key that a request presents: Basic (as user) or Bearer, `X-Write-Key`, the body's, the query's.
pub(super) fn presented(headers: &HeaderMap, body_key: Option<&str>, uri: &Uri) -> Option<String> {
    from_authorization(headers)
        .or_else(|| Some(headers.get("x-write-key")?.to_str().ok()?.to_owned()))
        .or_else(|| body_key.map(str::to_owned))
        .or_else(|| from_query(uri))
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty() && key.len() <= 512)
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

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        let none = HeaderMap::new();
        let plain: Uri = "/v1/batch".parse().unwrap();
        assert_eq!(presented(&headers("authorization", "Basic a2V5Og=="), None, &plain).as_deref(), Some("key"));
        assert_eq!(presented(&headers("authorization", "Bearer key"), None, &plain).as_deref(), Some("key"));
        assert_eq!(presented(&headers("x-write-key", "key"), None, &plain).as_deref(), Some("key"));
        assert_eq!(presented(&none, Some("key"), &plain).as_deref(), Some("key"));
        let query: Uri = "/v1/batch?a=b&writeKey=k%65y".parse().unwrap();
        assert_eq!(presented(&none, None, &query).as_deref(), Some("key"));
        assert_eq!(presented(&none, None, &plain), None);
        assert_eq!(presented(&headers("authorization", "Basic !!!"), None, &plain), None);
    }
}
