//! The registry of every parameter that platforms add to an address: whose it is, what it carries, for how long it counts.
//!
//! Data alone. What is read of an address is decided by who reads it; what is kept back, in [`crate::withhold`].

use Carries::{Campaign, Companion, Linker, Reader};
use Mark::{Memory, Public};

/// A query parameter that a platform knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in lower case; it is matched without regard to case.
    pub name: &'static str,
    /// Who adds it.
    pub platform: &'static str,
    /// What it carries.
    pub carries: Carries,
    /// How sure that is.
    pub mark: Mark,
}

/// What a parameter carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// The ID of a click on an advertisement or an affiliate's link.
    Click {
        /// The canonical name of such IDs, as plugins know it.
        kind: &'static str,
        /// For how many days after the click the platform counts a conversion; `None` where it does not say.
        window_days: Option<u16>,
    },
    /// What goes along with a click ID, and means nothing without it.
    Companion,
    /// A token that stands for the reader of a newsletter: personal.
    Reader,
    /// Another site's identifiers of the browser.
    Linker,
    /// The campaign: nobody's identifier.
    Campaign,
}

/// Where a fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Read in the platform's or a peer's source. A duration may be one vendor's choice.
    Source,
    /// Read in a public document.
    Public,
    /// From memory: to be checked when it matters.
    Memory,
}

impl Mark {
    /// The letter that stands for it in tables.
    pub const fn letter(self) -> char {
        match self {
            Mark::Source => 'S',
            Mark::Public => 'P',
            Mark::Memory => 'M',
        }
    }
}

const fn click(
    name: &'static str,
    kind: &'static str,
    platform: &'static str,
    window_days: Option<u16>,
    mark: Mark,
) -> Parameter {
    Parameter { name, platform, carries: Carries::Click { kind, window_days }, mark }
}

const fn other(name: &'static str, carries: Carries, platform: &'static str, mark: Mark) -> Parameter {
    Parameter { name, platform, carries, mark }
}

/// The registry, in the order of the platforms' weight.
#[rustfmt::skip]
pub const PARAMETERS: &[Parameter] = &[
    // One of Google's three is sent; for enhanced conversions for leads the window is 63 days.
    click("gclid", "gclid", "Google", Some(90), Public),
    click("gbraid", "gbraid", "Google", Some(90), Public),
    click("wbraid", "wbraid", "Google", Some(90), Public),
    click("dclid", "dclid", "Google", Some(90), Public),
    other("gclsrc", Companion, "Google", Public),
    other("gad_source", Companion, "Google", Public),
    other("gad_campaignid", Companion, "Google", Public),
    // An event is taken for at most seven days; the click itself may be older.
    click("fbclid", "fbclid", "Meta", Some(7), Public),
    click("ttclid", "ttclid", "TikTok", Some(28), Public),
    click("msclkid", "msclkid", "Microsoft", Some(90), Public),
    click("sccid", "ScCid", "Snap", Some(28), Public),
    click("sclid", "ScCid", "Snap", Some(28), Public),
    click("twclid", "twclid", "X", Some(30), Public),
    click("li_fat_id", "li_fat_id", "LinkedIn", Some(90), Public),
    click("epik", "epik", "Pinterest", Some(60), Public),
    click("rdt_cid", "rdt_cid", "Reddit", Some(28), Public),
    click("oppref", "oppref", "OpenAI", None, Public),
    click("aleid", "aleid", "AppLovin", None, Public),
    click("alart", "alart", "AppLovin", None, Public),
    // Between 21 and 90 days, by the counter's own setting.
    click("yclid", "yclid", "Yandex", Some(90), Public),
    click("ymclid", "ymclid", "Yandex", Some(90), Public),
    click("ysclid", "ysclid", "Yandex", Some(90), Public),
    click("tblci", "tblci", "Taboola", None, Public),
    click("dicbo", "dicbo", "Outbrain", None, Public),
    // It says where the click led, beside `dicbo`.
    other("oborigurl", Companion, "Outbrain", Memory),
    click("vmcid", "vmcid", "Yahoo", None, Public),
    click("qclid", "qclid", "Quora", None, Public),
    click("ndclid", "ndclid", "Nextdoor", None, Public),
    // That the three carry the same ID is from memory.
    click("irclickid", "irclickid", "Impact", None, Public),
    click("irclid", "irclickid", "Impact", None, Memory),
    click("im_ref", "irclickid", "Impact", None, Memory),
    click("awc", "awc", "Awin", None, Public),
    click("cjevent", "cjevent", "CJ", None, Public),
    click("sscid", "sscid", "ShareASale", None, Public),
    click("ransiteid", "ranSiteID", "Rakuten", None, Public),
    other("_gl", Linker, "Google", Public),
    other("mc_eid", Reader, "Mailchimp", Public),
    other("_kx", Reader, "Klaviyo", Public),
    other("_hsenc", Reader, "HubSpot", Public),
    other("_hsmi", Reader, "HubSpot", Public),
    other("mkt_tok", Reader, "Marketo", Public),
    other("mc_cid", Campaign, "Mailchimp", Public),
    other("utm_source", Campaign, "UTM", Public),
    other("utm_medium", Campaign, "UTM", Public),
    other("utm_campaign", Campaign, "UTM", Public),
    other("utm_term", Campaign, "UTM", Public),
    other("utm_content", Campaign, "UTM", Public),
    other("utm_id", Campaign, "UTM", Public),
    other("utm_source_platform", Campaign, "UTM", Public),
    other("utm_creative_format", Campaign, "UTM", Public),
    other("utm_marketing_tactic", Campaign, "UTM", Public),
];

impl Parameter {
    /// The parameter of this name, in whatever case.
    pub fn find(name: &str) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }
}

/// Whether a query parameter carries a click ID or what goes along with one, or stands for a newsletter's reader.
pub fn is_click_parameter(name: &str) -> bool {
    Parameter::find(name).is_some_and(|parameter| parameter.carries != Campaign)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_in_lower_case_and_each_is_there_once() {
        let names: BTreeSet<&str> = PARAMETERS.iter().map(|parameter| parameter.name).collect();
        assert_eq!(names.len(), PARAMETERS.len());
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
    }

    #[test]
    fn clicks_companions_and_readers_are_kept_back_and_campaigns_are_not() {
        for kept_back in ["GCLID", "fbclid", "gad_source", "obOrigUrl", "mc_eid", "_gl", "ranSiteID"] {
            assert!(is_click_parameter(kept_back), "{kept_back}");
        }
        for stays in ["utm_source", "mc_cid", "q", ""] {
            assert!(!is_click_parameter(stays), "{stays}");
        }
    }
}
