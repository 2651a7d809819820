//! The platforms' cookies, as one table: what each holds, how long it lives, the consent it needs, and what the gateway
//! does about it.
//!
//! None is `HttpOnly`: the platforms' own scripts read them. A life is one vendor's choice, not a law; those from memory say
//! so, and one edit here corrects them.

use Holds::{Browser, Session};
use Mark::{Memory, Source};
use Writes::{Makes, Resends};
use tidegate_event::{ClickId, Level, Mark};

use crate::clicks::is_value;

/// A platform's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// Its name; one that ends in `*` stands for all that begin so.
    pub name: &'static str,
    /// How its value is written.
    pub form: &'static str,
    /// What its value holds.
    pub holds: Holds,
    /// How many days it lives from its last writing.
    pub life_days: u16,
    /// How sure life and form are.
    pub mark: Mark,
    /// The least consent that it needs.
    pub level: Level,
    /// Whether scripts may read it.
    pub readers: Readers,
    /// What the gateway does about it.
    pub writes: Writes,
}

/// What a cookie's value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A click ID of this kind, in this form.
    Click { kind: &'static str, form: Form },
    /// The browser's ID with the platform.
    Browser,
    /// A session. It is sent again only while it runs: otherwise its script is about to begin a new one, and an answer that
    /// came after that would put the old one back.
    Session,
}

/// How a click ID stands in its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `fb.<i>.<ms>.<id>[.<appendix>]`
    Fbc,
    /// `GCL.<seconds>.<id>`
    Gcl,
    /// `2.1.k<id>$i<seconds>`
    GclAg,
    /// The id alone.
    Raw,
    /// The id behind a prefix.
    Prefixed(&'static str),
}

/// Who may read a cookie in the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Scripts of the page too.
    Scripts,
    /// Servers alone: `HttpOnly`.
    Servers,
}

/// What the gateway does about a platform's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Makes it where there is none: of the click, or, for `_fbp`, of chance.
    Makes,
    /// Sends it again where the browser has it, so that it lives its full term.
    Resends,
}

const fn row(
    name: &'static str,
    form: &'static str,
    holds: Holds,
    life_days: u16,
    mark: Mark,
    writes: Writes,
) -> Cookie {
    Cookie { name, form, holds, life_days, mark, level: Level::Marketing, readers: Readers::Scripts, writes }
}

/// Of the platforms' cookies only Google Analytics' measure without advertising.
const fn measuring(cookie: Cookie) -> Cookie {
    Cookie { level: Level::Analytics, ..cookie }
}

const fn click(kind: &'static str, form: Form) -> Holds {
    Holds::Click { kind, form }
}

/// The table.
#[rustfmt::skip]
pub const COOKIES: &[Cookie] = &[
    measuring(row("_ga", "`GA1.<n>.<random>.<seconds>`", Browser, 400, Source, Resends)),
    measuring(row("_ga_*", "`GS1.…` or `GS2.…`", Session, 400, Memory, Resends)),
    row("_fbc", "`fb.<i>.<ms>.<fbclid>[.<appendix>]`", click("fbclid", Form::Fbc), 90, Source, Makes),
    row("_fbp", "`fb.<i>.<ms>.<random>[.<appendix>]`", Browser, 90, Source, Makes),
    row("_gcl_aw", "`GCL.<seconds>.<gclid>`", click("gclid", Form::Gcl), 90, Memory, Makes),
    row("_gcl_dc", "`GCL.<seconds>.<dclid>`", click("dclid", Form::Gcl), 90, Memory, Makes),
    row("_gcl_gb", "`GCL.<seconds>.<wbraid>`", click("wbraid", Form::Gcl), 90, Memory, Makes),
    row("_gcl_ag", "`2.1.k<gbraid>$i<seconds>`", click("gbraid", Form::GclAg), 90, Memory, Makes),
    row("_ttp", "id", Browser, 395, Source, Resends),
    row("ttclid", "raw", click("ttclid", Form::Raw), 30, Source, Makes),
    row("_uetmsclkid", "`_uet<msclkid>`", click("msclkid", Form::Prefixed("_uet")), 90, Source, Makes),
    row("_uetvid", "id", Browser, 390, Source, Resends),
    row("_scclid", "raw ScCid", click("ScCid", Form::Raw), 365, Source, Makes),
    row("_scid", "UUID", Browser, 365, Source, Resends),
    row("twclid", "raw", click("twclid", Form::Raw), 90, Source, Makes),
    row("_twclid", "the pixel's own", Browser, 90, Memory, Resends),
    row("_twpid", "id", Browser, 90, Memory, Resends),
    row("li_fat_id", "raw", click("li_fat_id", Form::Raw), 90, Source, Makes),
    row("_epik", "raw", click("epik", Form::Raw), 365, Source, Makes),
    row("_rdt_cid", "raw", click("rdt_cid", Form::Raw), 30, Source, Makes),
    row("_rdt_uuid", "`<ms>.<uuid>`", Browser, 90, Memory, Resends),
];

/// A session of Google Analytics ends after so long a silence, where the site did not change it (M).
const SESSION_MS: u64 = 30 * 60_000;

impl Cookie {
    /// The row of a cookie's name.
    pub fn find(name: &str) -> Option<&'static Cookie> {
        COOKIES.iter().find(|cookie| cookie.is(name))
    }

    /// Whether a cookie of this name is this row's.
    pub fn is(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.name,
        }
    }

    /// Its life in seconds.
    pub fn life_s(&self) -> u32 {
        u32::from(self.life_days) * 86_400
    }

    /// The cookie's value for a click. `labels` is how many labels the cookie's domain has.
    pub fn value_for(&self, click: &ClickId, labels: usize) -> Option<String> {
        let Holds::Click { form, .. } = self.holds else { return None };
        Some(match form {
            Form::Fbc => format!("fb.{}.{}.{}", labels.saturating_sub(1), click.seen_ms, click.value),
            Form::Gcl => format!("GCL.{}.{}", click.seen_ms / 1000, click.value),
            Form::GclAg => format!("2.1.k{}$i{}", click.value, click.seen_ms / 1000),
            Form::Raw => click.value.clone(),
            Form::Prefixed(prefix) => format!("{prefix}{}", click.value),
        })
    }
}

/// Whether a cookie is one of the platforms'.
pub fn is_known(name: &str) -> bool {
    Cookie::find(name).is_some()
}

/// The click ID that a platform's cookie keeps, with the time it carries; one without a time is seen now.
pub fn click_in(name: &str, value: &str, now_ms: u64) -> Option<ClickId> {
    let Holds::Click { kind, form } = Cookie::find(name)?.holds else { return None };
    let (value, seen_ms) = match form {
        Form::Fbc => {
            let mut parts = value.splitn(4, '.');
            let (_fb, _index, ms, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            (without_appendix(rest), ms.parse().ok()?)
        }
        Form::Gcl => {
            let (seconds, id) = value.strip_prefix("GCL.")?.split_once('.')?;
            (id, seconds.parse::<u64>().ok()?.checked_mul(1000)?)
        }
        Form::GclAg => {
            let mut fields = value.splitn(3, '.').nth(2)?.split('$');
            let id = fields.next()?.strip_prefix('k')?;
            let seconds: Option<u64> = fields.find_map(|field| field.strip_prefix('i')?.parse().ok());
            (id, seconds.and_then(|seconds| seconds.checked_mul(1000)).unwrap_or(now_ms))
        }
        Form::Raw => (value, now_ms),
        Form::Prefixed(prefix) => (value.strip_prefix(prefix)?, now_ms),
    };
    is_value(value).then(|| ClickId { kind: kind.into(), value: value.into(), seen_ms })
}

/// A new `_fbp`, of a number that chance gave.
pub(crate) fn fbp(labels: usize, now_ms: u64, chance: u32) -> String {
    format!("fb.{}.{now_ms}.{}", labels.saturating_sub(1), chance >> 1)
}

/// Whether the session in a `_ga_<stream>` still runs, by the time of its last event. What cannot be read does not.
pub(crate) fn is_in_session(value: &str, now_ms: u64) -> bool {
    let last_s: Option<u64> = match value.split_once('.') {
        // GS1.<n>.<session>.<number>.<engaged>.<last event>.…
        Some(("GS1", rest)) => rest.split('.').nth(4).and_then(|last| last.parse().ok()),
        // GS2.<n>.s<session>$o<number>$g<engaged>$t<last event>$…
        Some(("GS2", rest)) => rest.split('$').find_map(|field| field.strip_prefix('t')?.parse().ok()),
        _ => None,
    };
    last_s.and_then(|s| s.checked_mul(1000)).is_some_and(|last_ms| now_ms.abs_diff(last_ms) < SESSION_MS)
}

/// Meta may append a token of 2 or 8 characters behind a dot; a fbclid itself has no dot.
fn without_appendix(rest: &str) -> &str {
    rest.split('.').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tidegate_event::Withheld;

    use super::*;
    use crate::clicks::is_kind;

    #[test]
    fn each_cookie_and_each_kind_of_click_has_one_row() {
        let names: BTreeSet<&str> = COOKIES.iter().map(|cookie| cookie.name).collect();
        assert_eq!(names.len(), COOKIES.len());
        let kinds = COOKIES.iter().filter_map(|cookie| match cookie.holds {
            Holds::Click { kind, .. } => Some(kind),
            _ => None,
        });
        let kinds: Vec<&str> = kinds.collect();
        assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
        assert!(kinds.iter().all(|kind| is_kind(kind)), "{kinds:?}");
        assert!(COOKIES.iter().all(|cookie| cookie.life_s() <= crate::set_cookie::AGE_MAX_S));
    }

    #[test]
    fn the_table_needs_the_consent_that_events_need() {
        for cookie in COOKIES {
            let name = cookie.name.replace('*', "ABC");
            for level in [Level::Analytics, Level::Marketing] {
                assert_eq!(Withheld::at(level).lets_cookie(&name), cookie.level <= level, "{name} at {level:?}");
            }
        }
    }

    #[test]
    fn only_metas_own_browser_id_is_made_of_nothing() {
        let made = COOKIES.iter().filter(|cookie| cookie.writes == Writes::Makes && cookie.holds == Browser);
        assert_eq!(made.map(|cookie| cookie.name).collect::<Vec<_>>(), ["_fbp"]);
        assert_eq!(fbp(3, 5, u32::MAX), "fb.2.5.2147483647");
    }

    #[test]
    fn cookies_give_the_click_and_its_own_time() {
        for (name, value, expected) in [
            ("_fbc", "fb.1.1554763741205.AbCdEf.AQ", Some(("fbclid", "AbCdEf", 1_554_763_741_205))),
            ("_fbc", "fb.1.1554763741205.AbCdEf.AQAAAAEB", Some(("fbclid", "AbCdEf", 1_554_763_741_205))),
            ("_fbc", "fb.1.x", None),
            ("_fbc", "fb.1.9.", None),
            ("_gcl_aw", "GCL.1700000000.Cj0K", Some(("gclid", "Cj0K", 1_700_000_000_000))),
            ("_gcl_aw", "GCL.99999999999999999999.Cj0K", None),
            // As Google's tag writes them: the braids' cookies are not named alike.
            ("_gcl_gb", "GCL.1700000000.Cj0K", Some(("wbraid", "Cj0K", 1_700_000_000_000))),
            ("_gcl_ag", "2.1.k0AAAAA.b$i1700000000", Some(("gbraid", "0AAAAA.b", 1_700_000_000_000))),
            ("_gcl_ag", "2.1.k0AAAAA", Some(("gbraid", "0AAAAA", 9))),
            ("_gcl_ag", "2.1.0AAAAA", None),
            ("_uetmsclkid", "_uetabc", Some(("msclkid", "abc", 9))),
            ("_uetmsclkid", "abc", None),
            ("_scclid", "abc", Some(("ScCid", "abc", 9))),
            ("li_fat_id", "", None),
            ("_fbp", "fb.1.1.1", None),
            ("session", "abc", None),
        ] {
            let found = click_in(name, value, 9);
            let found = found.as_ref().map(|click| (click.kind.as_str(), click.value.as_str(), click.seen_ms));
            assert_eq!(found, expected, "{name}={value}");
        }
    }

    #[test]
    fn a_click_becomes_its_platforms_cookie_and_is_read_back() {
        for (kind, cookie, expected) in [
            ("fbclid", "_fbc", "fb.1.1700000000123.AbC"),
            ("gbraid", "_gcl_ag", "2.1.kAbC$i1700000000"),
            ("msclkid", "_uetmsclkid", "_uetAbC"),
            ("epik", "_epik", "AbC"),
        ] {
            let click = ClickId { kind: kind.into(), value: "AbC".into(), seen_ms: 1_700_000_000_123 };
            let value = Cookie::find(cookie).unwrap().value_for(&click, 2).unwrap();
            assert_eq!(value, expected);
            assert_eq!(
                click_in(cookie, &value, 9).map(|read| (read.kind, read.value)),
                Some((click.kind, click.value))
            );
        }
    }

    #[test]
    fn a_session_runs_for_half_an_hour_after_its_last_event() {
        let now_ms = 1_700_000_600_000;
        for (value, expected) in [
            ("GS1.1.1699999000.3.1.1700000000.0.0.0", true),
            ("GS1.1.1699990000.3.1.1699990000.0.0.0", false),
            ("GS2.1.s1699999000$o3$g1$t1700000000$j60$l0$h0", true),
            ("GS2.1.s1699990000$o3$g1$t1699990000$j60$l0$h0", false),
            ("GS3.1.1700000000", false),
            ("", false),
        ] {
            assert_eq!(is_in_session(value, now_ms), expected, "{value}");
        }
    }
}
