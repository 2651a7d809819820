//! What a consent level keeps from every plugin, whatever the plugin was granted.
//!
//! The domain's rule: `none` lets nothing leave, `analytics` only what is no identifier of a person or of an advertising
//! click, `marketing` everything. Whether an event reaches a destination at all is decided elsewhere, from its purposes.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tidegate_event::Level;

/// What is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withheld {
    /// All but the event's envelope.
    All,
    /// Identifiers, the user's id, click IDs, also where they are properties or in addresses; advertising cookies, the IP
    /// address.
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

/// Properties that hold what `user.…` and `click.…` hold, in lower-case without `_` and `-`. Clients put them anywhere.
#[rustfmt::skip]
const PERSONAL_PROPERTIES: &[&str] = &[
    "email", "emailaddress", "phone", "phonenumber", "mobile", "firstname", "lastname", "fullname", "dateofbirth",
    "birthday", "dob", "gender", "address", "street", "postalcode", "zip", "zipcode", "userid", "customerid",
    "externalid", "ip", "ipaddress",
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

    /// Properties without those that identify by their name.
    pub(super) fn strip_properties<'a>(self, properties: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        match self {
            Withheld::All | Withheld::Personal => Cow::Owned(without_personal(properties)),
            Withheld::Nothing => Cow::Borrowed(properties),
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

fn is_personal(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    PERSONAL_PROPERTIES.contains(&plain.as_str())
        || CLICK_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The object without what is personal, on every level of it.
fn without_personal(object: &Map<String, Value>) -> Map<String, Value> {
    let kept = object.iter().filter(|(name, _)| !is_personal(name));
    kept.map(|(name, value)| (name.clone(), value_without_personal(value))).collect()
}

fn value_without_personal(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(without_personal(object)),
        Value::Array(list) => list.iter().map(value_without_personal).collect(),
        other => other.clone(),
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
