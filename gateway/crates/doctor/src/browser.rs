//! What browsers do with cookies, as a table. A value that turns out to be wrong is one edit here.

use serde::Serialize;

/// A day, in seconds.
pub(crate) const DAY_S: u64 = 86_400;

/// How a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Tried with the real browser.
    Tried,
    /// Read in the browser's source.
    Source,
    /// From a public document.
    Public,
    /// From memory; check before you rely on it.
    Memory,
}

/// A limit on how long a cookie lives, and where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// At most so long.
    pub seconds: u64,
    /// How it is known.
    pub mark: Mark,
    /// Where from.
    pub source: &'static str,
}

/// What becomes of the cookies that an answer of another site sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThirdParty {
    /// Not stored.
    Blocked,
    /// Kept apart for each site that embeds it; with `SameSite=Lax`, as the gateway's are, not at all.
    Partitioned,
    /// Stored with `SameSite=None` only; the gateway's are `Lax`.
    LaxDropped,
}

/// A browser and its rules. `None` is no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Browser {
    /// Its name.
    pub name: &'static str,
    /// For any cookie of a server.
    pub any: Option<Limit>,
    /// For a cookie that a script sets.
    pub script: Option<Limit>,
    /// For a cookie that a script sets on a page that a decorated link of a known tracker led to.
    pub script_decorated: Option<Limit>,
    /// For a cookie of a sub-resource whose host seems to be somebody else's: by its CNAME, or its address.
    pub cloaked: Option<Limit>,
    /// For a cookie of another site's sub-resource.
    pub third_party: ThirdParty,
}

const fn limit(seconds: u64, mark: Mark, source: &'static str) -> Option<Limit> {
    Some(Limit { seconds, mark, source })
}

/// The browsers that predictions are made for.
pub const BROWSERS: &[Browser] = &[
    Browser {
        name: "Chromium",
        any: limit(400 * DAY_S, Mark::Tried, "Debian's Chromium; draft-ietf-httpbis-rfc6265bis, 5.5"),
        script: None,
        script_decorated: None,
        cloaked: None,
        third_party: ThirdParty::LaxDropped,
    },
    Browser {
        name: "Safari",
        any: None,
        script: limit(7 * DAY_S, Mark::Memory, "WebKit blog, Intelligent Tracking Prevention 2.1"),
        script_decorated: limit(DAY_S, Mark::Memory, "WebKit blog, Intelligent Tracking Prevention 2.2"),
        cloaked: limit(
            7 * DAY_S,
            Mark::Source,
            "WebKit, NetworkTaskCocoa.mm, setCookieTransformForFirstPartyRequest; bug 246477",
        ),
        third_party: ThirdParty::Blocked,
    },
    Browser {
        name: "Firefox",
        any: limit(400 * DAY_S, Mark::Source, "Firefox, preference network.cookie.maxageCap and its tests"),
        script: None,
        script_decorated: None,
        cloaked: None,
        third_party: ThirdParty::Partitioned,
    },
    Browser {
        name: "Brave",
        any: limit(180 * DAY_S, Mark::Memory, "Brave wiki, cookie lifetimes"),
        script: limit(7 * DAY_S, Mark::Memory, "Brave wiki, cookie lifetimes"),
        script_decorated: None,
        cloaked: None,
        third_party: ThirdParty::Blocked,
    },
];

impl Browser {
    /// The browser of a name, in any case.
    pub fn named(name: &str) -> Option<&'static Browser> {
        BROWSERS.iter().find(|browser| browser.name.eq_ignore_ascii_case(name))
    }
}
