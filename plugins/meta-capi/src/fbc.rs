//! The click ID as Meta wants it, `fb.<index>.<milliseconds>.<fbclid>`, from the pixel's cookie and the visitor's click.
//!
//! Source: "ClickID and the fbp and fbc Parameters". Keeps the case and every byte of an fbclid, and the appendix that
//! Meta's own libraries add to a cookie; makes none up.

use std::borrow::Cow;

use tidegate_plugin_sdk::ClickId;

/// A cookie `_fbc` or `_fbp`: `fb.<index>.<milliseconds>.<id>[.<appendix>]`.
struct Cookie<'a> {
    index: &'a str,
    seen_ms: u64,
    id: &'a str,
}

impl<'a> Cookie<'a> {
    fn parse(raw: &'a str) -> Option<Cookie<'a>> {
        let (index, rest) = raw.strip_prefix("fb.")?.split_once('.')?;
        let (seen_ms, id) = rest.split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(index) || !digits(seen_ms) {
            return None;
        }
        let id = match id.rsplit_once('.') {
            // An appendix has 2 characters, or 8 of base64url; what is longer belongs to the id.
            Some((id, appendix)) if matches!(appendix.len(), 2 | 8) => id,
            _ => id,
        };
        (!id.is_empty()).then_some(Cookie { index, seen_ms: seen_ms.parse().ok()?, id })
    }
}

/// The `fbc` to send. Where the cookie and the click disagree, the later one wins.
pub(crate) fn fbc<'a>(cookie: Option<&'a str>, fbp: Option<&str>, click: Option<&ClickId>) -> Option<Cow<'a, str>> {
    let parsed = cookie.and_then(Cookie::parse);
    let click = click.filter(|click| !click.value.is_empty());
    match (&parsed, click) {
        (Some(known), Some(click)) if known.id != click.value && click.seen_ms > known.seen_ms => {
            Some(Cow::Owned(build(known.index, click)))
        }
        (Some(_), _) => cookie.map(Cow::Borrowed),
        (None, Some(click)) => {
            // The pixel's other cookie tells how many labels the site's domain has. Without one: "If you're generating
            // this field on a server, and not saving an _fbc cookie, use the value 1."
            let index = fbp.and_then(Cookie::parse).map_or("1", |cookie| cookie.index);
            Some(Cow::Owned(build(index, click)))
        }
        (None, None) => None,
    }
}

/// The `fbp` to send: the cookie, where it is one.
pub(crate) fn fbp(cookie: Option<&str>) -> Option<&str> {
    cookie.filter(|raw| Cookie::parse(raw).is_some())
}

fn build(index: &str, click: &ClickId) -> String {
    ["fb.", index, ".", &click.seen_ms.to_string(), ".", &click.value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: &str = "fb.2.1768000000000.IwAR_old-1";

    fn click(value: &str, seen_ms: u64) -> ClickId {
        ClickId { kind: "fbclid".into(), value: value.into(), seen_ms }
    }

    fn chosen(cookie: Option<&str>, fbp: Option<&str>, click: Option<ClickId>) -> Option<String> {
        fbc(cookie, fbp, click.as_ref()).map(Cow::into_owned)
    }

    #[test]
    fn a_click_alone_is_built_with_its_own_time() {
        assert_eq!(
            chosen(None, None, Some(click("AbC", 1_768_000_000_001))).as_deref(),
            Some("fb.1.1768000000001.AbC")
        );
    }

    #[test]
    fn the_index_comes_from_the_visitors_other_cookie() {
        let built = chosen(None, Some("fb.2.1768000000000.42"), Some(click("AbC", 5)));
        assert_eq!(built.as_deref(), Some("fb.2.5.AbC"));
    }

    #[test]
    fn the_same_click_keeps_the_cookie_with_its_first_time_and_its_appendix() {
        for cookie in [COOKIE, "fb.2.1768000000000.IwAR_old-1.AQ", "fb.2.1768000000000.IwAR_old-1.AQIBAgEB"] {
            assert_eq!(
                chosen(Some(cookie), None, Some(click("IwAR_old-1", 1_768_000_000_999))).as_deref(),
                Some(cookie)
            );
        }
    }

    #[test]
    fn a_newer_click_replaces_the_cookie_and_an_older_one_does_not() {
        let newer = chosen(Some(COOKIE), None, Some(click("NEW", 1_768_000_000_001)));
        assert_eq!(newer.as_deref(), Some("fb.2.1768000000001.NEW"));
        let older = chosen(Some(COOKIE), None, Some(click("OLDER", 1_767_000_000_000)));
        assert_eq!(older.as_deref(), Some(COOKIE));
    }

    #[test]
    fn what_is_no_cookie_of_metas_is_not_sent() {
        for wrong in ["", "fb", "fb.1.2", "fb.1..x", "fb.x.1768000000000.a", "fb.1.1768000000000.", "gb.1.1.a"] {
            assert_eq!(chosen(Some(wrong), None, None), None, "{wrong}");
            assert_eq!(fbp(Some(wrong)), None, "{wrong}");
        }
        assert_eq!(fbp(Some("fb.1.1768000000000.42")), Some("fb.1.1768000000000.42"));
    }
}
