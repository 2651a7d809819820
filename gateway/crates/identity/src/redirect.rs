//! Where a redirect through the gateway may lead: `/r?to=URL`, for a top-level navigation whose cookies no browser shortens.
//!
//! Only to hosts that the site listed: an open redirect is a phisher's address with somebody else's good name.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tidegate_event::{Carries, Parameter};
use url::{Host, Url};

use crate::clicks::{self, Aliases};

/// The parameter that names the target.
const PARAMETER: &str = "to";
const TARGET_BYTES_MAX: usize = 4_096;

/// The hosts that redirects may lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// As browsers write it: lower case, `xn--`.
    host: String,
    scope: Scope,
    /// None for the scheme's own.
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Exact,
    /// Every host below, and not the domain itself.
    Below,
}

/// Why a pattern names no hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither a host nor `*.` and a domain; a port may follow")]
pub struct NoPattern;

/// Why a redirect leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no `to`.
    #[error("has no `to`")]
    Absent,
    /// There are several; parsers do not agree which counts.
    #[error("has more than one `to`")]
    Twice,
    /// It is longer than any address of a page.
    #[error("is longer than {TARGET_BYTES_MAX} bytes")]
    TooLong,
    /// It has control characters, spaces, or backslashes, which browsers read in ways of their own.
    #[error("has characters that no address has")]
    Characters,
    /// It is no whole address of a page.
    #[error("is no http or https address")]
    NotHttp,
    /// It names a user, mostly to look like another host.
    #[error("names a user before its host")]
    User,
    /// Its host is not on the list.
    #[error("leads to a host that is not in `redirect_hosts`")]
    Host,
}

impl Allowed {
    /// Adds `shop.example`, `*.shop.example` or `localhost:3000`. Without a port only the scheme's own is allowed.
    ///
    /// # Errors
    /// When it is none of these. A `*` below a public suffix would be everybody's hosts, and is refused too.
    pub fn add(&mut self, pattern: &str) -> Result<(), NoPattern> {
        let (scope, rest) = match pattern.strip_prefix("*.") {
            Some(rest) => (Scope::Below, rest),
            None => (Scope::Exact, pattern),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !rest.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| NoPattern)?))
            }
            _ => (rest, None),
        };
        let parsed = Host::parse(host).ok().filter(|_| !host.contains('*')).ok_or(NoPattern)?;
        if scope == Scope::Below && !matches!(&parsed, Host::Domain(domain) if psl::domain_str(domain).is_some()) {
            return Err(NoPattern);
        }
        self.0.push(Pattern { host: parsed.to_string(), scope, port });
        Ok(())
    }

    fn has(&self, host: &str, port: Option<u16>) -> bool {
        self.0.iter().any(|pattern| {
            let is_host = match pattern.scope {
                Scope::Exact => host == pattern.host,
                Scope::Below => {
                    host.strip_suffix(&pattern.host).is_some_and(|before| before.len() > 1 && before.ends_with('.'))
                }
            };
            is_host && port == pattern.port
        })
    }
}

/// The `Location` that a redirect's query asks for. Click IDs of the query itself go along, where the target has none of
/// that name.
///
/// # Errors
/// When it may not lead there.
pub fn location(query: &str, allowed: &Allowed, aliases: &Aliases) -> Result<String, Refused> {
    let mut target = target(query, allowed)?;
    let missing: Vec<String> = passed_on(query, &target, aliases);
    if !missing.is_empty() {
        let own = target.query().filter(|own| !own.is_empty()).map(|own| format!("{own}&")).unwrap_or_default();
        target.set_query(Some(&format!("{own}{}", missing.join("&"))));
    }
    let location = String::from(target);
    // The url crate writes nothing else; a header is no place to rely on that.
    if location.bytes().all(|b| (0x21..0x7f).contains(&b)) { Ok(location) } else { Err(Refused::Characters) }
}

fn target(query: &str, allowed: &Allowed) -> Result<Url, Refused> {
    let mut targets = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == PARAMETER);
    let (_, raw) = targets.next().ok_or(Refused::Absent)?;
    if targets.next().is_some() {
        return Err(Refused::Twice);
    }
    if raw.len() > TARGET_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    let text: Cow<'_, str> = percent_decode_str(raw).decode_utf8().map_err(|_| Refused::Characters)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(Refused::Characters);
    }
    // As written, not as parsed: `https:host` and `//host` are addresses to browsers, and lead elsewhere than they look.
    let is_whole = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && !text[scheme.len()..].starts_with('/')
    });
    let url = Url::parse(&text).ok().filter(|_| is_whole).ok_or(Refused::NotHttp)?;
    let authority = text.split('/').nth(2).unwrap_or_default();
    let authority = &authority[..authority.find(['?', '#']).unwrap_or(authority.len())];
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::User);
    }
    let host = url.host().map(|host| host.to_string()).unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if allowed.has(host, url.port()) { Ok(url) } else { Err(Refused::Host) }
}

/// The pairs that the target lacks, as they came.
fn passed_on(query: &str, target: &Url, aliases: &Aliases) -> Vec<String> {
    let parameter = |name: &str| Parameter::find(aliases.parameter(name).unwrap_or(name));
    let has = |known: &Parameter| {
        clicks::pairs(target.as_str()).any(|(name, _)| parameter(name).is_some_and(|own| own.name == known.name))
    };
    let mut passed: Vec<(&'static str, String)> = Vec::new();
    for (name, raw) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let Some(known) = parameter(name) else { continue };
        let travels = matches!(known.carries, Carries::Click { .. } | Carries::Companion);
        let is_sound = clicks::is_value(&percent_decode_str(raw).decode_utf8_lossy());
        if travels && is_sound && !has(known) && !passed.iter().any(|(other, _)| *other == known.name) {
            passed.push((known.name, format!("{name}={raw}")));
        }
    }
    passed.into_iter().map(|(_, pair)| pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed() -> Allowed {
        let mut allowed = Allowed::default();
        for pattern in ["shop.example", "*.shop.example", "münchen.de", "localhost:3000", "[::1]:8443"] {
            allowed.add(pattern).unwrap();
        }
        allowed
    }

    fn to(target: &str) -> Result<String, Refused> {
        location(&format!("to={target}"), &allowed(), &Aliases::default())
    }

    #[test]
    fn a_listed_host_is_led_to() {
        for (target, expected) in [
            ("https://shop.example/p?x=1", "https://shop.example/p?x=1"),
            ("https%3A%2F%2Fshop.example%2Fp%3Fx%3D%2520%26y%3D2%23top", "https://shop.example/p?x=%20&y=2#top"),
            ("HTTP://WWW.Shop.Example", "http://www.shop.example/"),
            ("https://a.b.shop.example:443/", "https://a.b.shop.example/"),
            ("https://m%C3%BCnchen.de/", "https://xn--mnchen-3ya.de/"),
            ("https://xn--mnchen-3ya.de/", "https://xn--mnchen-3ya.de/"),
            ("http://localhost:3000/", "http://localhost:3000/"),
            ("http://[::1]:8443/", "http://[::1]:8443/"),
            ("https://shop.example/@ada", "https://shop.example/@ada"),
            ("https://shop.example?u=a@b", "https://shop.example/?u=a@b"),
        ] {
            assert_eq!(to(target).as_deref(), Ok(expected), "{target}");
        }
    }

    #[test]
    fn everything_else_leads_nowhere() {
        use Refused::{Characters, NotHttp, User};
        for (target, expected) in [
            ("https://evil.example/", Refused::Host),
            ("https://notshop.example/", Refused::Host),
            ("https://shop.example.evil.example/", Refused::Host),
            ("https://.shop.example/", Refused::Host),
            ("https://shop.example:8443/", Refused::Host),
            ("http://localhost/", Refused::Host),
            ("https://shop.example@evil.example/", User),
            ("https://user:pw@shop.example/", User),
            ("https://@shop.example/", User),
            ("https://evil.example%5C@shop.example/", Characters),
            ("https:%5C%5Cevil.example", Characters),
            ("https://shop.example/%0d%0aSet-Cookie:x", Characters),
            ("https://shop.example/%09", Characters),
            ("https://shop.example/%00", Characters),
            ("%20https://shop.example/", Characters),
            ("https://shop.example/%E2%80%A8", Characters),
            ("https://shop.example/%FF", Characters),
            ("//evil.example/", NotHttp),
            ("/p", NotHttp),
            ("https:shop.example", NotHttp),
            ("https:///shop.example", NotHttp),
            ("javascript:alert(1)//shop.example", NotHttp),
            ("data:text/html,x", NotHttp),
            ("ftp://shop.example/", NotHttp),
            ("https://", NotHttp),
            ("", NotHttp),
        ] {
            assert_eq!(to(target), Err(expected), "{target}");
        }
        assert_eq!(to(&format!("https://shop.example/{}", "x".repeat(5_000))), Err(Refused::TooLong));
        assert_eq!(location("x=1", &allowed(), &Aliases::default()), Err(Refused::Absent));
        let twice = "to=https://shop.example/&to=https://evil.example/";
        assert_eq!(location(twice, &allowed(), &Aliases::default()), Err(Refused::Twice));
        assert_eq!(location("to=https://shop.example/", &Allowed::default(), &Aliases::default()), Err(Refused::Host));
    }

    #[test]
    fn clicks_go_along_where_the_target_has_none() {
        let mut aliases = Aliases::default();
        aliases.add("x", "gclid").unwrap();
        for (query, expected) in [
            ("to=https://shop.example/p&GCLID=Cj0%2B_+&utm_source=y&gad_source=1", "/p?GCLID=Cj0%2B_+&gad_source=1"),
            ("fbclid=new&to=https://shop.example/?FBCLID%3Dold%26a%3D1%23top", "/?FBCLID=old&a=1#top"),
            ("to=https://shop.example/?a%3D1%23top&fbclid=f&fbclid=g", "/?a=1&fbclid=f#top"),
            ("to=https://shop.example/&x=1", "/?x=1"),
            ("to=https://shop.example/?gclid%3D2&x=1", "/?gclid=2"),
            ("to=https://shop.example/&gclid=a%0d%0ab&mc_eid=1", "/"),
            ("to=https://shop.example/&sccid=1&sclid=2", "/?sccid=1&sclid=2"),
        ] {
            let location = location(query, &allowed(), &aliases).unwrap();
            assert_eq!(location.strip_prefix("https://shop.example"), Some(expected), "{query}");
        }
    }

    #[test]
    fn patterns_name_hosts_and_no_public_suffix() {
        for refused in [
            "",
            "*",
            "*.",
            "*.com",
            "*.co.uk",
            "*.github.io",
            "a.*.example",
            "https://shop.example",
            "shop.example/",
            "shop.example:x",
            "*.10.0.0.1",
        ] {
            assert_eq!(Allowed::default().add(refused), Err(NoPattern), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn a_location_is_always_on_the_list_and_one_line(query in "(to=)?(https?:)?/{0,3}[a-z.@:%\\\\0-9&=?#]{0,20}(shop.example)?[\\PC]{0,30}") {
            if let Ok(location) = location(&query, &allowed(), &Aliases::default()) {
                prop_assert!(location.bytes().all(|b| (0x21..0x7f).contains(&b)));
                let host = Url::parse(&location).unwrap().host_str().unwrap().to_owned();
                prop_assert!(host == "shop.example" || host.ends_with(".shop.example"), "{}", location);
            }
        }
    }
}
