//! An endpoint's URL as a template: where its parameters are, and what it must look like. Fills none in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Endpoint, Manifest};

/// The names of the `{parameters}` in an endpoint's URL, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// In the host, or being the whole URL: the configuration alone gives them, never a request.
    pub host: Vec<&'a str>,
    /// After the host: the request gives them, or else the configuration.
    pub path: Vec<&'a str>,
}

impl Endpoint {
    /// The names of the URL's parameters.
    pub fn parameters(&self) -> Parameters<'_> {
        let Some(rest) = self.url.strip_prefix("https://") else {
            return Parameters { host: names(&self.url).collect(), path: Vec::new() };
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Parameters { host: names(authority).collect(), path: names(path).collect() }
    }

    /// Whether the whole URL comes from the configuration: `{url}`.
    pub fn is_whole_url(&self) -> bool {
        self.url.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(is_name)
    }
}

impl Manifest {
    /// The parts of its addresses that a plugin gives with each request where the configuration need not: `endpoint.name` of
    /// each parameter of a path that `[config]` neither requires nor has a default for.
    pub fn chosen(&self) -> BTreeSet<String> {
        let of = |(name, endpoint)| {
            let open =
                Endpoint::parameters(endpoint).path.into_iter().filter(|parameter| !self.always_gives(parameter));
            open.map(move |parameter| format!("{name}.{parameter}"))
        };
        self.endpoints.iter().flat_map(of).collect()
    }

    /// Whether every configuration has this property.
    pub(super) fn always_gives(&self, name: &str) -> bool {
        let property = self.config.get("properties").and_then(|properties| properties.get(name));
        let required = self.config.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|list| list.iter().any(|known| known == name));
        property.is_some_and(|property| is_required || property.get("default").is_some())
    }
}

/// Says what is wrong with a URL template, and how to mend it.
pub(super) fn problem(endpoint: &Endpoint) -> Option<(String, &'static str)> {
    let url = &endpoint.url;
    if endpoint.is_whole_url() {
        return None;
    }
    let Some(rest) = url.strip_prefix("https://") else {
        let hint = "a `base_url` in the gateway's configuration replaces scheme and host for tests";
        return Some((format!("is not https: `{url}`"), hint));
    };
    if let Some(odd) = url.chars().find(|c| c.is_whitespace() || c.is_control() || "@#\\?".contains(*c)) {
        let hint = match odd {
            '?' => "parameters of the query come from the request",
            _ => "an address has neither a user, a fragment, a backslash nor a space",
        };
        return Some((format!("has `{}` in its url: `{url}`", odd.escape_default()), hint));
    }
    let hint = "a parameter is written `{name}`, of `a` to `z` and `_`";
    let Some(fixed) = without_parameters(rest) else {
        return Some((format!("has a malformed parameter: `{url}`"), hint));
    };
    let authority = fixed.split('/').next().unwrap_or_default();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let host_fits = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !host_fits || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Some((format!("has no host: `{url}`"), "write `https://`, the host and the path"));
    }
    // `https://api.example.com.{suffix}` would let a configuration move the whole endpoint without its looking so.
    if rest.split('/').next().is_some_and(|authority| authority.ends_with('}') && authority.contains('.')) {
        return Some((
            format!("ends its host with a parameter: `{url}`"),
            "let the configuration give the whole `{url}`",
        ));
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// The text with `_` in place of each parameter; nothing when a brace is out of place.
fn without_parameters(text: &str) -> Option<String> {
    let mut parts = text.split('{');
    let mut fixed = parts.next().filter(|part| !part.contains('}'))?.to_owned();
    for part in parts {
        let (_, after) = part.split_once('}').filter(|(name, after)| is_name(name) && !after.contains('}'))?;
        fixed.push('_');
        fixed.push_str(after);
    }
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint { url: url.into(), method: Default::default() }
    }

    #[test]
    fn parameters_of_the_host_are_told_from_those_of_the_path() {
        let meta = endpoint("https://graph.facebook.com/{api_version}/{pixel_id}/events");
        assert_eq!(meta.parameters(), Parameters { host: vec![], path: vec!["api_version", "pixel_id"] });
        let regional = endpoint("https://{region}.example.com:8443/{id}");
        assert_eq!(regional.parameters(), Parameters { host: vec!["region"], path: vec!["id"] });
        let whole = endpoint("{url}");
        assert_eq!(whole.parameters(), Parameters { host: vec!["url"], path: vec![] });
        assert!(whole.is_whole_url() && !regional.is_whole_url());
    }

    #[test]
    fn sound_templates_have_no_problem() {
        for url in ["{url}", "https://a.example", "https://a.example:8443/x", "https://{region}.a.example/{id}:upload"]
        {
            assert_eq!(problem(&endpoint(url)), None, "{url}");
        }
    }

    #[test]
    fn every_odd_template_has_one() {
        for (url, expected) in [
            ("http://a.example/", "is not https"),
            ("{url}/more", "is not https"),
            ("{URL}", "is not https"),
            ("{scheme}://{host}/", "is not https"),
            ("https:///path", "has no host"),
            ("https://a.example:99999/", "has no host"),
            ("https://user@a.example/", "has `@`"),
            ("https://a.example/x?y={z}", "has `?`"),
            ("https://a.example/x#y", "has `#`"),
            ("https://a.example/x y", "has ` `"),
            ("https://a.example\\@b.example/", "has `\\\\`"),
            ("https://a.example/{Id}", "has a malformed parameter"),
            ("https://a.example/{}", "has a malformed parameter"),
            ("https://a.example/{id", "has a malformed parameter"),
            ("https://a.example/id}", "has a malformed parameter"),
            ("https://a.example/{{id}}", "has a malformed parameter"),
            ("https://api.example.{suffix}/", "ends its host with a parameter"),
        ] {
            let found = problem(&endpoint(url)).map(|(what, _)| what).unwrap_or_default();
            assert!(found.starts_with(expected), "{url}: {found}");
        }
    }
}
