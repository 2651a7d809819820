//! Whether a page's Content-Security-Policy lets the snippet run and send, by CSP level 3.
//!
//! Every policy of a page has to allow it: those of its headers, of which each may hold several, and of its meta tags.

use url::Url;

/// As long as headers get; more is not read.
const POLICY_BYTES_MAX: usize = 64 << 10;

/// What is to be allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish<'a> {
    /// A script of the page's HTML, with its `nonce` and `integrity`.
    Script { nonce: Option<&'a str>, integrity: Option<&'a str> },
    /// A request of a script.
    Connect,
}

/// The directive that blocks, as it stands in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) directive: String,
    pub(crate) sources: String,
}

/// The first of the policies that blocks a wish, if one does.
pub(crate) fn blocking(policies: &[String], wish: Wish<'_>, target: &Url, page: &Url) -> Option<Block> {
    let all = policies.iter().flat_map(|value| value.split(','));
    all.filter(|policy| policy.len() <= POLICY_BYTES_MAX).find_map(|policy| blocks(policy, wish, target, page))
}

fn blocks(policy: &str, wish: Wish<'_>, target: &Url, page: &Url) -> Option<Block> {
    let names: &[&str] = match wish {
        Wish::Script { .. } => &["script-src-elem", "script-src", "default-src"],
        Wish::Connect => &["connect-src", "default-src"],
    };
    let (directive, sources) = names.iter().find_map(|name| directive(policy, name))?;
    let allowed = match wish {
        Wish::Script { nonce, integrity } => script_allowed(&sources, nonce, integrity, target, page),
        Wish::Connect => listed(&sources, target, page),
    };
    (!allowed).then(|| Block { directive: directive.to_owned(), sources: sources.join(" ") })
}

/// A directive's sources. Of one that stands twice the first counts.
fn directive<'a>(policy: &'a str, wanted: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
    policy.split(';').find_map(|directive| {
        let mut words = directive.split_ascii_whitespace();
        let name = words.next()?;
        name.eq_ignore_ascii_case(wanted).then(|| (wanted, words.collect()))
    })
}

fn script_allowed(sources: &[&str], nonce: Option<&str>, integrity: Option<&str>, target: &Url, page: &Url) -> bool {
    let quoted = |source: &str| source.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).map(str::to_owned);
    let keywords: Vec<String> = sources.iter().filter_map(|source| quoted(source)).collect();
    if nonce.is_some_and(|nonce| {
        !nonce.is_empty() && keywords.iter().any(|word| word.strip_prefix("nonce-") == Some(nonce))
    }) {
        return true;
    }
    // A script from outside may be allowed by its hash, if it carries only hashes that are listed.
    let hashes: Vec<&str> = integrity.unwrap_or_default().split_ascii_whitespace().collect();
    if !hashes.is_empty() && hashes.iter().all(|hash| keywords.iter().any(|word| word == hash)) {
        return true;
    }
    let is_strict = keywords.iter().any(|word| word.eq_ignore_ascii_case("strict-dynamic"));
    !is_strict && listed(sources, target, page)
}

fn listed(sources: &[&str], target: &Url, page: &Url) -> bool {
    sources.iter().any(|source| matches(source, target, page))
}

fn matches(source: &str, target: &Url, page: &Url) -> bool {
    if source.eq_ignore_ascii_case("'self'") {
        return target.origin() == page.origin();
    }
    if source.starts_with('\'') {
        return false;
    }
    if source == "*" {
        return matches!(target.scheme(), "http" | "https" | "ws" | "wss") || target.scheme() == page.scheme();
    }
    if let Some(scheme) = source.strip_suffix(':') {
        return scheme_matches(scheme, target);
    }
    let (scheme, rest) = source.split_once("://").map_or((page.scheme(), source), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    scheme_matches(scheme, target)
        && host_matches(host, target)
        && port_matches(port, target)
        && path_matches(path, target.path())
}

/// A scheme also allows its safe form.
fn scheme_matches(scheme: &str, target: &Url) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    scheme == target.scheme() || matches!((scheme.as_str(), target.scheme()), ("http", "https") | ("ws", "wss"))
}

fn host_matches(pattern: &str, target: &Url) -> bool {
    let host = target.host_str().unwrap_or_default();
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

fn port_matches(port: Option<&str>, target: &Url) -> bool {
    match port {
        Some("*") => true,
        Some(port) => target.port_or_known_default().is_some_and(|known| port == known.to_string()),
        None => target.port().is_none(),
    }
}

/// A path with a slash at its end allows all below it, another only itself.
fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern {
        "" | "/" => true,
        below if below.ends_with('/') => path.starts_with(below),
        exact => path == exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked(policy: &str, wish: Wish<'_>) -> bool {
        let target = Url::parse("https://track.shop.example/t/tidegate.js").unwrap();
        let page = Url::parse("https://www.shop.example/").unwrap();
        blocking(&[policy.to_owned()], wish, &target, &page).is_some()
    }

    const SCRIPT: Wish<'_> = Wish::Script { nonce: Some("n0nce"), integrity: Some("sha256-abc") };
    const PLAIN: Wish<'_> = Wish::Script { nonce: None, integrity: None };

    #[test]
    fn sources_match_as_in_browsers() {
        let cases = [
            ("", false),
            ("img-src 'none'", false),
            ("script-src *", false),
            ("script-src https:", false),
            ("script-src http:", false),
            ("script-src track.shop.example", false),
            ("SCRIPT-SRC Track.Shop.Example", false),
            ("script-src https://track.shop.example:443", false),
            ("script-src track.shop.example:*", false),
            ("script-src *.shop.example", false),
            ("script-src track.shop.example/t/", false),
            ("script-src track.shop.example/t/tidegate.js", false),
            ("script-src 'none'; script-src-elem *.shop.example", false),
            ("default-src 'none'; script-src *", false),
            ("script-src *; script-src 'none'", false),
            ("default-src 'self'", true),
            ("script-src", true),
            ("script-src 'none'", true),
            ("script-src 'self' 'unsafe-inline'", true),
            ("script-src data: wss:", true),
            ("script-src *.track.shop.example", true),
            ("script-src *op.example", true),
            ("script-src shop.example", true),
            ("script-src track.shop.example:8443", true),
            ("script-src track.shop.example/u/", true),
            ("script-src track.shop.example/t", true),
            ("script-src * 'strict-dynamic'", true),
            ("script-src 'nonce-n0nce'", true),
            ("script-src *, script-src 'self'", true),
        ];
        for (policy, expected) in cases {
            assert_eq!(is_blocked(policy, PLAIN), expected, "{policy}");
        }
    }

    #[test]
    fn a_nonce_or_a_hash_lets_a_script_pass() {
        assert!(!is_blocked("script-src 'strict-dynamic' 'nonce-n0nce'", SCRIPT));
        assert!(!is_blocked("script-src 'sha256-abc'", SCRIPT));
        assert!(is_blocked("script-src 'strict-dynamic' 'nonce-other' 'sha256-abd'", SCRIPT));
    }

    #[test]
    fn events_go_by_connect_src() {
        assert!(is_blocked("connect-src 'self'; script-src *", Wish::Connect));
        assert!(is_blocked("default-src 'none'; script-src *", Wish::Connect));
        assert!(!is_blocked("default-src 'none'; connect-src https://track.shop.example", Wish::Connect));
        assert!(!is_blocked("script-src 'none'", Wish::Connect));
    }
}
