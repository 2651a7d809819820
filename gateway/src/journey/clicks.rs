//! Click IDs: the registry of every parameter that platforms add to an ad's address, and the cookies that keep them.
//!
//! A parameter's name matches without regard to case; its value is kept byte for byte after one percent-decoding.

use percent_encoding::percent_decode_str;
use tidegate_event::ClickId;

/// A parameter, the click ID it carries, and the cookie that a browser keeps it in.
struct Parameter {
    name: &'static str,
    kind: &'static str,
    cookie: Option<CookieForm>,
}

/// How a click ID stands in its platform's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CookieForm {
    /// `fb.<i>.<ms>.<id>[.<appendix>]`
    Fbc,
    /// `GCL.<seconds>.<id>`
    Gcl(&'static str),
    /// `2.1.k<id>$i<seconds>`, in `_gcl_ag`
    GclAg,
    /// The id alone.
    Raw(&'static str),
    /// The id behind a prefix.
    Prefixed(&'static str, &'static str),
}

const fn parameter(name: &'static str, kind: &'static str, cookie: Option<CookieForm>) -> Parameter {
    Parameter { name, kind, cookie }
}

/// The registry. Names are in lower case.
const PARAMETERS: &[Parameter] = &[
    parameter("gclid", "gclid", Some(CookieForm::Gcl("_gcl_aw"))),
    parameter("gbraid", "gbraid", Some(CookieForm::GclAg)),
    parameter("wbraid", "wbraid", Some(CookieForm::Gcl("_gcl_gb"))),
    parameter("dclid", "dclid", Some(CookieForm::Gcl("_gcl_dc"))),
    parameter("fbclid", "fbclid", Some(CookieForm::Fbc)),
    parameter("ttclid", "ttclid", Some(CookieForm::Raw("ttclid"))),
    parameter("msclkid", "msclkid", Some(CookieForm::Prefixed("_uetmsclkid", "_uet"))),
    parameter("sccid", "ScCid", None),
    parameter("sclid", "ScCid", None),
    parameter("twclid", "twclid", None),
    parameter("li_fat_id", "li_fat_id", None),
    parameter("epik", "epik", None),
    parameter("rdt_cid", "rdt_cid", None),
    parameter("yclid", "yclid", None),
    parameter("tblci", "tblci", None),
    parameter("dicbo", "dicbo", None),
    parameter("irclickid", "irclickid", None),
    parameter("awc", "awc", None),
    parameter("cjevent", "cjevent", None),
];
/// Cookies of the platforms that are read, kept with the event, and handed to plugins that were granted them.
const PLATFORM_COOKIES: &[&str] = &[
    "_epik",
    "_fbc",
    "_fbp",
    "_ga",
    "_gcl_ag",
    "_gcl_aw",
    "_gcl_dc",
    "_gcl_gb",
    "_rdt_cid",
    "_rdt_uuid",
    "_scclid",
    "_scid",
    "_ttp",
    "_twclid",
    "_twpid",
    "_uetmsclkid",
    "_uetvid",
    "li_fat_id",
    "ttclid",
    "twclid",
];
const VALUE_BYTES_MAX: usize = 500;

/// The click IDs in an address, each at most once.
pub fn in_url(url: &str, seen_ms: u64) -> Vec<ClickId> {
    let mut found: Vec<ClickId> = Vec::new();
    for (name, raw) in pairs(url) {
        let Some(parameter) = registered(name) else { continue };
        let value = percent_decode_str(raw).decode_utf8_lossy();
        if acceptable(&value) && !found.iter().any(|click| click.kind == parameter.kind) {
            found.push(ClickId { kind: parameter.kind.into(), value: value.into_owned(), seen_ms });
        }
    }
    found
}

/// The click ID that a platform's cookie keeps, with the time it carries.
pub fn in_cookie(name: &str, value: &str, now_ms: u64) -> Option<ClickId> {
    let parameter = PARAMETERS.iter().find(|p| p.cookie.is_some_and(|form| form.cookie() == name))?;
    let (value, seen_ms) = match parameter.cookie? {
        CookieForm::Fbc => {
            let mut parts = value.splitn(4, '.');
            let (_fb, _index, ms, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            (fbclid_part(rest), ms.parse().ok()?)
        }
        CookieForm::Gcl(_) => {
            let (seconds, id) = value.strip_prefix("GCL.")?.split_once('.')?;
            (id, seconds.parse::<u64>().ok()?.checked_mul(1000)?)
        }
        CookieForm::GclAg => {
            let mut fields = value.splitn(3, '.').nth(2)?.split('$');
            let id = fields.next()?.strip_prefix('k')?;
            let seconds: Option<u64> = fields.find_map(|field| field.strip_prefix('i')?.parse().ok());
            (id, seconds.and_then(|seconds| seconds.checked_mul(1000)).unwrap_or(now_ms))
        }
        CookieForm::Raw(_) => (value, now_ms),
        CookieForm::Prefixed(_, prefix) => (value.strip_prefix(prefix)?, now_ms),
    };
    acceptable(value).then(|| ClickId { kind: parameter.kind.into(), value: value.into(), seen_ms })
}

/// The cookie that keeps a click ID, where its platform has one: name and value. `labels` is how many labels the
/// cookie's domain has.
pub fn cookie_for(click: &ClickId, labels: usize) -> Option<(&'static str, String)> {
    let form = PARAMETERS.iter().find(|p| p.kind == click.kind)?.cookie?;
    let value = match form {
        CookieForm::Fbc => format!("fb.{}.{}.{}", labels.saturating_sub(1), click.seen_ms, click.value),
        CookieForm::Gcl(_) => format!("GCL.{}.{}", click.seen_ms / 1000, click.value),
        CookieForm::GclAg => format!("2.1.k{}$i{}", click.value, click.seen_ms / 1000),
        CookieForm::Raw(_) => click.value.clone(),
        CookieForm::Prefixed(_, prefix) => format!("{prefix}{}", click.value),
    };
    Some((form.cookie(), value))
}

/// Whether a cookie is one of the platforms'.
pub fn is_platform_cookie(name: &str) -> bool {
    PLATFORM_COOKIES.contains(&name) || name.starts_with("_ga_")
}

/// Whether a click ID of this kind is collected.
pub fn is_kind(kind: &str) -> bool {
    PARAMETERS.iter().any(|parameter| parameter.kind == kind)
}

impl CookieForm {
    const fn cookie(self) -> &'static str {
        match self {
            CookieForm::Fbc => "_fbc",
            CookieForm::GclAg => "_gcl_ag",
            CookieForm::Gcl(name) | CookieForm::Raw(name) | CookieForm::Prefixed(name, _) => name,
        }
    }
}

fn registered(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

fn acceptable(value: &str) -> bool {
    !value.is_empty() && value.len() <= VALUE_BYTES_MAX && value.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b';')
}

fn pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or(query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// Meta may append a token of 2 or 8 characters behind a dot; a fbclid itself has no dot.
fn fbclid_part(rest: &str) -> &str {
    rest.split('.').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_values_keep_theirs() {
        let found = in_url("https://shop.example/p?utm_source=x&FBCLID=IwAR_aBc-9&sclid=z#top", 5);
        let as_pairs: Vec<_> = found.iter().map(|c| (c.kind.as_str(), c.value.as_str(), c.seen_ms)).collect();
        assert_eq!(as_pairs, [("fbclid", "IwAR_aBc-9", 5), ("ScCid", "z", 5)]);
    }

    #[test]
    fn a_plus_stays_a_plus_and_percent_is_decoded_once() {
        assert_eq!(in_url("https://a/?gclid=A+b_%2Bc", 1)[0].value, "A+b_+c");
        assert!(in_url("https://a/?gclid=", 1).is_empty());
        assert!(in_url(&format!("https://a/?gclid={}", "x".repeat(501)), 1).is_empty());
        assert!(in_url("https://a/?gclid=a%0d%0ab", 1).is_empty(), "no control character gets into a cookie");
    }

    #[test]
    fn cookies_give_the_click_and_its_own_time() {
        let click = in_cookie("_fbc", "fb.1.1554763741205.AbCdEf.AQ", 9).unwrap();
        assert_eq!((click.value.as_str(), click.seen_ms), ("AbCdEf", 1_554_763_741_205));
        let click = in_cookie("_gcl_aw", "GCL.1700000000.Cj0K", 9).unwrap();
        assert_eq!((click.value.as_str(), click.seen_ms), ("Cj0K", 1_700_000_000_000));
        // As Google's tag writes them: the braids' cookies are not named alike.
        let click = in_cookie("_gcl_gb", "GCL.1700000000.Cj0K", 9).unwrap();
        assert_eq!((click.kind.as_str(), click.value.as_str()), ("wbraid", "Cj0K"));
        let click = in_cookie("_gcl_ag", "2.1.k0AAAAA.b$i1700000000", 9).unwrap();
        assert_eq!(
            (click.kind.as_str(), click.value.as_str(), click.seen_ms),
            ("gbraid", "0AAAAA.b", 1_700_000_000_000)
        );
        assert_eq!(in_cookie("_gcl_ag", "2.1.k0AAAAA", 9).map(|click| click.seen_ms), Some(9));
        assert_eq!(in_cookie("_gcl_ag", "2.1.0AAAAA", 9), None);
        assert_eq!(in_cookie("_fbc", "fb.1.x", 9), None);
    }

    #[test]
    fn a_click_becomes_its_platforms_cookie() {
        let click = ClickId { kind: "fbclid".into(), value: "AbC".into(), seen_ms: 1_700_000_000_123 };
        assert_eq!(cookie_for(&click, 2), Some(("_fbc", "fb.1.1700000000123.AbC".into())));
        let click = ClickId { kind: "gbraid".into(), value: "0A".into(), seen_ms: 1_700_000_000_123 };
        assert_eq!(cookie_for(&click, 2), Some(("_gcl_ag", "2.1.k0A$i1700000000".into())));
        let click = ClickId { kind: "msclkid".into(), value: "m".into(), seen_ms: 1 };
        assert_eq!(cookie_for(&click, 2), Some(("_uetmsclkid", "_uetm".into())));
    }

    #[test]
    fn every_registered_parameter_is_withheld_where_clicks_are() {
        assert!(PARAMETERS.iter().all(|parameter| tidegate_event::is_click_parameter(parameter.name)));
    }
}
