//! What a plugin's request must be for the gateway to send it, checked before it is stored: where it goes, here, and
//! what the manifest tells of the rest, by [`Outgoing`].

use serde_json::Value;
use tidegate_plugin_sdk::manifest::{Auth, Batch, Manifest, Outgoing};
use tidegate_sandbox::contract;
use url::Url;

use crate::destination::{Destination, Endpoint};

/// Longer ones are refused by most servers, and by proxies before them.
const URL_BYTES_MAX: usize = 32 << 10;

/// What is wrong with a request, if anything.
pub fn problem(destination: &Destination, request: &contract::Request) -> Option<String> {
    let Some(endpoint) = destination.endpoints.get(&request.endpoint) else {
        return Some(unknown(&request.endpoint));
    };
    address(endpoint, request).err().or_else(|| refused(&destination.batch, destination.auth.as_ref(), request))
}

/// A request that no destination sends: where it would go, as far as that can be told, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub url: Option<Url>,
    pub problem: Option<String>,
}

/// As [`problem`], of a plugin that is no destination's, or not any more: with this configuration of its own.
pub fn judged(manifest: &Manifest, config: &Value, base_url: Option<&Url>, request: &contract::Request) -> Judged {
    let Some(declared) = manifest.endpoints.get(&request.endpoint) else {
        return Judged { url: None, problem: Some(unknown(&request.endpoint)) };
    };
    let endpoint = Endpoint::new(declared, config, base_url).map_err(|error| error.to_string());
    match endpoint.and_then(|endpoint| address(&endpoint, request)) {
        Ok(url) => Judged { url: Some(url), problem: refused(&manifest.batch, manifest.auth.as_ref(), request) },
        Err(problem) => Judged { url: None, problem: Some(problem) },
    }
}

fn unknown(endpoint: &str) -> String {
    format!("`{endpoint}` is no endpoint of the manifest")
}

fn address(endpoint: &Endpoint, request: &contract::Request) -> Result<Url, String> {
    match endpoint.url(&request.path, &request.query) {
        Err(error) => Err(error.to_string()),
        Ok(url) if url.as_str().len() > URL_BYTES_MAX => {
            Err(format!("the address is longer than {URL_BYTES_MAX} bytes"))
        }
        Ok(url) => Ok(url),
    }
}

fn refused(batch: &Batch, auth: Option<&Auth>, request: &contract::Request) -> Option<String> {
    let contract::Request { endpoint, query, headers, body, .. } = request;
    Outgoing { endpoint, query, headers, body }.problem(batch, auth)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_header_is_taken_exactly_where_http_takes_it() {
        let problem = |name: &str, value: &str| {
            let headers = [(name.to_owned(), value.to_owned())];
            let request = Outgoing { endpoint: "events", query: &[], headers: &headers, body: &[] };
            request.problem(&Batch::default(), None)
        };
        for letter in ('\0'..='\u{ff}').chain(['\u{2028}']) {
            let (name, value) = (format!("a{letter}"), format!("a{letter}b"));
            assert_eq!(problem(&name, "b").is_none(), HeaderName::try_from(&name).is_ok(), "{name:?}");
            assert_eq!(problem("a", &value).is_none(), HeaderValue::from_str(&value).is_ok(), "{value:?}");
        }
    }
}
