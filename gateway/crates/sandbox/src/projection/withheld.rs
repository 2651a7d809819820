//! What a consent level keeps from every plugin, whatever the plugin was granted.
//!
//! The domain's rule: `none` lets nothing leave, `analytics` only what is no identifier of a person or of an advertising
//! click, `marketing` everything. Whether an event reaches a destination at all is decided elsewhere, from its purposes.

use std::borrow::Cow;

use tidegate_event::Level;

/// What is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withheld {
    /// All but the event's envelope.
    All,
    /// Identifiers, the user's id, click IDs (also those in addresses), advertising cookies, the IP address.
    Personal,
    /// Nothing.
    Nothing,
}

/// Query parameters that carry a click ID, or the address of a newsletter's reader, in lower-case.
#[rustfmt::skip]
const CLICK_PARAMETERS: &[&str] = &[
    "gclid", "gbraid", "wbraid", "dclid", "gclsrc", "gad_source", "gad_campaignid", "fbclid", "ttclid", "msclkid",
    "sccid", "sclid", "twclid", "li_fat_id", "epik", "rdt_cid", "yclid", "ymclid", "ysclid", "tblci", "dicbo",
    "oborigurl", "vmcid", "qclid", "ndclid", "irclickid", "irclid", "im_ref", "awc", "cjevent", "sscid", "ransiteid",
    "_gl", "oppref", "aleid", "alart", "mc_eid", "_kx", "_hsenc", "_hsmi", "mkt_tok",
];

impl Withheld {
    pub(super) fn at(level: Level) -> Withheld {
        match level {
            Level::None => Withheld::All,
            Level::Analytics => Withheld::Personal,
            Level::Marketing => Withheld::Nothing,
        }
    }

    /// Whether a cookie is handed over: of the platforms' cookies only Google Analytics' measure without advertising.
    pub(super) fn lets_cookie(self, name: &str) -> bool {
        match self {
            Withheld::All => false,
            Withheld::Personal => name == "_ga" || name.starts_with("_ga_"),
            Withheld::Nothing => true,
        }
    }

    /// An address without the click IDs in its query.
    pub(super) fn strip_url(self, url: String) -> String {
        match self {
            Withheld::All | Withheld::Personal => without_clicks(&url).into_owned(),
            Withheld::Nothing => url,
        }
    }
}

fn without_clicks(url: &str) -> Cow<'_, str> {
    let (before, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let Some((address, query)) = before.split_once('?') else { return Cow::Borrowed(url) };
    let is_click = |pair: &str| {
        let name = pair.split('=').next().unwrap_or(pair);
        CLICK_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if !query.split('&').any(is_click) {
        return Cow::Borrowed(url);
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_click(pair)).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    Cow::Owned(format!("{address}{mark}{}{fragment}", kept.join("&")))
}
