//! An endpoint of a manifest with its parameters filled in: the only place that makes a destination's URL.
//!
//! A plugin names an endpoint and gives path parameters and a query; the host never comes from it.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use tidegate_plugin_sdk::manifest::{self, Method};
use url::Url;

/// What is encoded in one segment of a path: everything that could end the segment or mean something in it.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b';')
    .add(b'@')
    .add(b'&')
    .add(b'=')
    .add(b'+');

/// Why an endpoint gives no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("endpoint parameter `{0}` is given neither by the configuration nor by the plugin")]
    Missing(String),
    #[error("endpoint parameter `{0}` is not one of the endpoint's")]
    Unknown(String),
    #[error("endpoint parameter `{0}` would change the path: {1:?}")]
    Path(String, String),
    #[error("the endpoint's url `{0}` is none")]
    Url(String),
}

/// An endpoint whose host is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub method: Method,
    /// Scheme and authority.
    base: Url,
    /// The path's pieces; a parameter that only a request gives is open.
    path: Vec<Piece>,
    /// The query that the configuration's own URL has.
    query: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Open(String),
}

impl Endpoint {
    /// Fills a manifest's endpoint from the destination's configuration. `base_url` replaces scheme and authority.
    ///
    /// # Errors
    /// When a parameter of the host is missing, or the result is no URL.
    pub fn new(
        endpoint: &manifest::Endpoint,
        config: &Value,
        base_url: Option<&Url>,
    ) -> Result<Endpoint, ResolveError> {
        let template = &endpoint.url;
        let whole = template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|n| !n.contains('}'));
        if let Some(name) = whole {
            let text = parameter(config, name).ok_or_else(|| ResolveError::Missing(name.into()))?;
            return Endpoint::whole(endpoint.method, &text, base_url);
        }
        let rest = template.strip_prefix("https://").ok_or_else(|| ResolveError::Url(template.clone()))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = fill(host, config, |name, value| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
            if value.bytes().all(plain) { Ok(value) } else { Err(ResolveError::Path(name.into(), value)) }
        })?;
        let base = match (base_url, host.as_slice()) {
            (Some(url), _) => url.clone(),
            (None, [Piece::Fixed(host)]) => {
                Url::parse(&format!("https://{host}")).map_err(|_| ResolveError::Url(host.clone()))?
            }
            (None, pieces) => return Err(open_parameter(pieces).unwrap_or(ResolveError::Url(template.clone()))),
        };
        let path = fill(path, config, segment)?;
        Ok(Endpoint { method: endpoint.method, base, path, query: None })
    }

    fn whole(method: Method, text: &str, base_url: Option<&Url>) -> Result<Endpoint, ResolveError> {
        let url = Url::parse(text).map_err(|_| ResolveError::Url(text.into()))?;
        let plain = url.has_host() && url.username().is_empty() && url.password().is_none();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(ResolveError::Url(text.into()));
        }
        let path = vec![Piece::Fixed(url.path().trim_start_matches('/').to_owned())];
        let query = url.query().map(str::to_owned);
        let mut base = base_url.cloned().unwrap_or(url);
        base.set_path("");
        base.set_query(None);
        base.set_fragment(None);
        Ok(Endpoint { method, base, path, query })
    }

    /// The URL of a request to this endpoint.
    ///
    /// # Errors
    /// When the request lacks a parameter, gives an unknown one, or one that would change the path.
    pub fn url(&self, path: &[(String, String)], query: &[(String, String)]) -> Result<Url, ResolveError> {
        let is_open = |name: &str| self.path.iter().any(|piece| matches!(piece, Piece::Open(open) if open == name));
        if let Some((unknown, _)) = path.iter().find(|(name, _)| !is_open(name)) {
            return Err(ResolveError::Unknown(unknown.clone()));
        }
        let mut text = String::from("/");
        for piece in &self.path {
            match piece {
                Piece::Fixed(fixed) => text.push_str(fixed),
                Piece::Open(name) => {
                    let given = path.iter().find(|(given, _)| given == name);
                    let (_, value) = given.ok_or_else(|| ResolveError::Missing(name.clone()))?;
                    text.push_str(&segment(name, value.clone())?);
                }
            }
        }
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{text}"));
        url.set_query(self.query.as_deref());
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// The host that requests to this endpoint go to, with the port where it is not the scheme's own.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Scheme and authority: where requests to this endpoint go.
    pub fn base(&self) -> &Url {
        &self.base
    }
}

/// Splits a template at its parameters and fills those that the configuration gives.
fn fill(
    template: &str,
    config: &Value,
    check: impl Fn(&str, String) -> Result<String, ResolveError>,
) -> Result<Vec<Piece>, ResolveError> {
    let mut pieces = vec![Piece::Fixed(String::new())];
    let push_fixed = |pieces: &mut Vec<Piece>, text: &str| match pieces.last_mut() {
        Some(Piece::Fixed(fixed)) => fixed.push_str(text),
        _ => pieces.push(Piece::Fixed(text.to_owned())),
    };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| ResolveError::Url(template.to_owned()))?;
        push_fixed(&mut pieces, before);
        match parameter(config, name) {
            Some(value) => push_fixed(&mut pieces, &check(name, value)?),
            None => pieces.push(Piece::Open(name.to_owned())),
        }
        rest = after;
    }
    push_fixed(&mut pieces, rest);
    Ok(pieces)
}

fn segment(name: &str, value: String) -> Result<String, ResolveError> {
    // All that could end the segment is encoded. A server that decodes before it normalises, once or twice, must still find
    // no way up.
    let decoded = percent_decode_str(&value).decode_utf8_lossy();
    let odd = value.is_empty() || value.len() > 1024 || decoded.chars().any(char::is_control);
    if odd || climbs(&value) || climbs(&decoded) {
        return Err(ResolveError::Path(name.into(), value));
    }
    Ok(utf8_percent_encode(&value, SEGMENT).to_string())
}

/// Whether a part of it is the directory itself, or the one above.
fn climbs(value: &str) -> bool {
    value.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
}

fn parameter(config: &Value, name: &str) -> Option<String> {
    match config.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn open_parameter(pieces: &[Piece]) -> Option<ResolveError> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Open(name) => Some(ResolveError::Missing(name.clone())),
        Piece::Fixed(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(url: &str, config: Value, base: Option<&str>) -> Result<Endpoint, ResolveError> {
        let base = base.map(|base| Url::parse(base).unwrap());
        Endpoint::new(&manifest::Endpoint { url: url.into(), method: Method::Post }, &config, base.as_ref())
    }

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.into(), value.into())]
    }

    #[test]
    fn the_configuration_fills_the_path() {
        let config = json!({"api_version": "v26.0", "pixel_id": "123"});
        let e = endpoint("https://graph.facebook.com/{api_version}/{pixel_id}/events", config, None).unwrap();
        let url = e.url(&[], &pair("a", "b c")).unwrap();
        assert_eq!(url.as_str(), "https://graph.facebook.com/v26.0/123/events?a=b+c");
    }

    #[test]
    fn a_base_url_replaces_scheme_and_authority_only() {
        let e = endpoint("https://p.example/x/{id}", json!({"id": 7}), Some("http://127.0.0.1:9100")).unwrap();
        assert_eq!(e.url(&[], &[]).unwrap().as_str(), "http://127.0.0.1:9100/x/7");
    }

    #[test]
    fn the_host_is_told_with_a_port_of_its_own() {
        let host = |base: Option<&str>| endpoint("https://p.example:443/x", json!({}), base).unwrap().host();
        assert_eq!(host(None), "p.example");
        assert_eq!(host(Some("http://[::1]:9100/prefix")), "[::1]:9100");
    }

    #[test]
    fn a_path_parameter_cannot_leave_its_segment() {
        let e = endpoint("https://p.example/{row}/x", json!({}), None).unwrap();
        for (value, path) in [
            ("7", "/7/x"),
            ("a/b", "/a%2Fb/x"),
            ("//evil.example", "/%2F%2Fevil.example/x"),
            ("a\\b", "/a%5Cb/x"),
            ("a?b=#c", "/a%3Fb%3D%23c/x"),
            ("user:pass@evil.example", "/user:pass%40evil.example/x"),
            ("a;b", "/a%3Bb/x"),
            ("100%", "/100%25/x"),
            ("..a", "/..a/x"),
            ("é", "/%C3%A9/x"),
        ] {
            let url = e.url(&pair("row", value), &[]).unwrap();
            assert_eq!((url.path(), url.host_str(), url.query()), (path, Some("p.example"), None), "{value}");
        }
        for value in [
            "",
            ".",
            "..",
            "%2e",
            "../../admin",
            "a/../b",
            "..\\b",
            "%2e%2e",
            "%2E%2e/",
            "..%2fadmin",
            "..%5cadmin",
            "%2e./x",
            "a\r\nb",
            "a%0d%0ab",
            "a\0",
            "%00",
            "\u{85}",
        ] {
            assert_eq!(e.url(&pair("row", value), &[]), Err(ResolveError::Path("row".into(), value.into())));
        }
        assert!(e.url(&pair("row", &"a".repeat(1025)), &[]).is_err());
        assert!(e.url(&pair("host", "evil.example"), &[]).is_err());
        assert!(e.url(&[], &[]).is_err());
    }

    #[test]
    fn a_host_parameter_comes_from_the_configuration_and_is_a_host() {
        assert!(endpoint("https://{region}.p.example/x", json!({}), None).is_err());
        for region in [
            "evil.example/@",
            "evil.example#",
            "evil.example?",
            "a@b",
            "eu:443",
            "[::1]",
            "\u{435}u",
            "e\u{2024}u",
            "",
            "a%2f",
        ] {
            assert!(endpoint("https://{region}.p.example/x", json!({ "region": region }), None).is_err(), "{region}");
        }
        assert!(endpoint("https://{region}.p.example/x", json!({"region": "eu"}), None).is_ok());
    }

    #[test]
    fn a_whole_url_comes_from_the_configuration_without_user_info() {
        let e = endpoint("{url}", json!({"url": "https://hooks.example/a?b=c"}), None).unwrap();
        assert_eq!(e.url(&[], &[]).unwrap().as_str(), "https://hooks.example/a?b=c");
        for url in [
            "https://user@hooks.example/",
            "https://user:pass@hooks.example/",
            "https://hooks.example:x@evil.example/",
            "https://[fe80::1%25eth0]/",
            "file:///etc/passwd",
            "ftp://hooks.example/",
            "gopher://hooks.example/",
            "//hooks.example/",
            "hooks.example",
            "https://",
            "https://hooks example/",
        ] {
            assert!(endpoint("{url}", json!({ "url": url }), None).is_err(), "{url}");
        }
    }

    #[test]
    fn a_look_alike_of_a_host_is_shown_as_what_it_is() {
        let e = endpoint("{url}", json!({"url": "https://gr\u{430}ph.f\u{430}cebook.com/x#y"}), None).unwrap();
        assert_eq!(e.url(&[], &[]).unwrap().as_str(), "https://xn--grph-63d.xn--fcebook-2fg.com/x");
    }
}
