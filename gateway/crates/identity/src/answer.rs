//! What an answer writes to the browser: the visitor's ID and the platforms' cookies, as far as consent goes.
//!
//! A pure function of the request's cookies, its consent, its clicks, and the time. The consent's own cookie is somebody
//! else's.

use tidegate_event::{ClickId, Level, Purpose, Purposes, VisitorId};

use crate::Scheme;
use crate::jar::Jar;
use crate::platform::{self, COOKIES, Cookie, Holds, Readers, Writes};
use crate::set_cookie::{AGE_MAX_S, Place, SetCookie};
use crate::visitor::{Found, Ring, Signed};

/// How many cookies of one row are sent again: a page has few streams.
const ROW_MAX: usize = 8;
/// A longer value is the browser's to keep, not ours to send again.
const RESENT_BYTES_MAX: usize = 1_024;

/// Who a browser is, and what it brought.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// Whose events they were.
    pub visitor: VisitorId,
    /// What its visitor cookie was.
    pub found: Found,
    /// The click IDs of its events, one of each kind, as [`crate::clicks::gather`] gives them.
    pub clicks: &'a [ClickId],
    /// Its cookies.
    pub jar: &'a Jar,
}

/// What the visitor consents to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The level.
    pub level: Level,
    /// The purposes, of which one may be refused at any level.
    pub granted: Purposes,
    /// How it came to that.
    pub turn: Turn,
}

impl Standing {
    /// What only measures may be refused beside consent to marketing.
    fn allows(self, cookie: &Cookie) -> bool {
        let measures = cookie.level == Level::Analytics;
        cookie.level <= self.level && (!measures || self.granted.contains(Purpose::Analytics))
    }
}

/// How a level came to be what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is as it was, or higher, or nobody has been asked yet.
    Steady,
    /// The visitor has said less than before: what the level does not cover is taken back. To be told apart from a page that
    /// sends before its consent banner has loaded, which is no reason to forget a returning visitor.
    Withdrawn,
}

/// Time and chance.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now, in Unix milliseconds.
    pub now_ms: u64,
    /// Any number, drawn anew for each answer.
    pub chance: u32,
}

/// The site as far as its cookies go.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// What signs visitor IDs.
    pub ring: &'a Ring,
    /// Where cookies are set.
    pub place: &'a Place,
}

/// The cookies of an answer. What the level allows is set for its full term, also where the browser has it; what a
/// withdrawal takes back is expired; at [`Level::None`] nothing else is written.
pub fn cookies(browser: &Browser<'_>, standing: Standing, moment: Moment, setting: &Setting<'_>) -> Vec<SetCookie> {
    let mut lines = Vec::new();
    if standing.level >= Level::Analytics {
        lines.extend(ours(browser, moment, setting));
    } else if standing.turn == Turn::Withdrawn {
        // By both names: the site may have been plain once.
        for scheme in [Scheme::Https, Scheme::Http] {
            let name = setting.ring.cookie_name(scheme);
            if browser.jar.get(&name).is_some() {
                lines.extend(SetCookie::expire(&name, Readers::Servers, setting.place));
            }
        }
    }
    for cookie in COOKIES {
        if standing.allows(cookie) {
            lines.extend(kept(cookie, browser, moment, setting.place));
        } else if standing.turn == Turn::Withdrawn {
            for name in names(cookie, browser.jar) {
                lines.extend(SetCookie::expire(name, cookie.readers, setting.place));
            }
        }
    }
    lines
}

/// The visitor's cookie, signed anew by the newest key; who has one already keeps its time of issue.
fn ours(browser: &Browser<'_>, moment: Moment, setting: &Setting<'_>) -> Option<SetCookie> {
    let signed = match browser.found {
        Found::Visitor(signed) if signed.visitor == browser.visitor => signed,
        _ => Signed { visitor: browser.visitor, issued_s: moment.now_ms / 1000 },
    };
    let name = setting.ring.cookie_name(setting.place.scheme);
    SetCookie::new(&name, &setting.ring.sign(signed)?, AGE_MAX_S, Readers::Servers, setting.place)
}

/// A platform's cookies that the level allows: what the browser has, else what can be made.
fn kept(cookie: &Cookie, browser: &Browser<'_>, moment: Moment, place: &Place) -> Vec<SetCookie> {
    let labels = place.domain.as_ref().map_or(1, |domain| domain.labels());
    let set = |name: &str, value: &str| SetCookie::new(name, value, cookie.life_s(), cookie.readers, place);
    let mut own = browser.jar.iter().filter(|(name, value)| cookie.is(name) && is_resendable(value));
    match cookie.holds {
        Holds::Click { kind, .. } => {
            let click = browser.clicks.iter().find(|click| click.kind == kind && !click.value.is_empty());
            // The browser's own may carry more than we know of it, such as Meta's appendix: the same click keeps it.
            let same = own.find(|(name, value)| {
                let known = platform::click_in(name, value, moment.now_ms);
                known.is_some_and(|known| click.is_none_or(|click| click.value == known.value))
            });
            let value = match (same, click) {
                (Some((_, value)), _) => Some(value.to_owned()),
                (None, Some(click)) => cookie.value_for(click, labels),
                (None, None) => None,
            };
            value.and_then(|value| set(cookie.name, &value)).into_iter().collect()
        }
        Holds::Browser => {
            let made = || (cookie.writes == Writes::Makes).then(|| platform::fbp(labels, moment.now_ms, moment.chance));
            let value = own.next().map(|(_, value)| value.to_owned()).or_else(made);
            value.and_then(|value| set(cookie.name, &value)).into_iter().collect()
        }
        Holds::Session => {
            let first = names(cookie, browser.jar).into_iter().filter_map(|name| Some((name, browser.jar.get(name)?)));
            let running =
                first.filter(|(_, value)| is_resendable(value) && platform::is_in_session(value, moment.now_ms));
            running.filter_map(|(name, value)| set(name, value)).collect()
        }
    }
}

fn is_resendable(value: &str) -> bool {
    !value.is_empty() && value.len() <= RESENT_BYTES_MAX
}

/// The names of a row's cookies that the browser has, each once.
fn names<'a>(cookie: &Cookie, jar: &'a Jar) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in jar.iter().filter(|(name, _)| cookie.is(name)) {
        if names.len() < ROW_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::Domain;
    use crate::set_cookie::SameSite;
    use crate::visitor::Key;

    const NOW_MS: u64 = 1_800_000_000_123;
    const MOMENT: Moment = Moment { now_ms: NOW_MS, chance: 154 };
    const VISITOR: VisitorId = VisitorId(Uuid::from_u128(7));

    fn ring(ids: &[&str]) -> Ring {
        Ring::new("tg_vid", ids.iter().map(|id| Key::new(*id, format!("secret of {id}"))).collect())
    }

    fn place(domain: Option<&str>) -> Place {
        let domain = domain.map(|domain| Domain::parse(domain).unwrap());
        Place { domain, scheme: Scheme::Https, same_site: SameSite::Lax }
    }

    fn click(kind: &str, value: &str, seen_ms: u64) -> ClickId {
        ClickId { kind: kind.into(), value: value.into(), seen_ms }
    }

    const fn at(level: Level) -> Standing {
        Standing { level, granted: Purposes::ALL, turn: Turn::Steady }
    }

    const fn withdrawn(level: Level) -> Standing {
        Standing { level, granted: Purposes::ALL, turn: Turn::Withdrawn }
    }

    fn answer(standing: Standing, clicks: &[ClickId], cookies: &str) -> Vec<SetCookie> {
        let (ring, jar) = (ring(&["k2", "k1"]), Jar::read([cookies]));
        let browser = Browser { visitor: VISITOR, found: ring.find(&jar), clicks, jar: &jar };
        super::cookies(&browser, standing, MOMENT, &Setting { ring: &ring, place: &place(Some("shop.example")) })
    }

    /// Names and values of the platforms' cookies.
    fn platforms(standing: Standing, clicks: &[ClickId], cookies: &str) -> Vec<String> {
        let lines = answer(standing, clicks, cookies);
        let theirs = lines.iter().filter(|line| !line.name().contains("tg_vid"));
        theirs.map(|line| format!("{}={}", line.name(), line.value())).collect()
    }

    fn issued(cookies: &str) -> Signed {
        let lines = answer(at(Level::Analytics), &[], cookies);
        assert_eq!((lines.len(), lines[0].name()), (1, "__Secure-tg_vid"));
        ring(&["k2"]).verify(lines[0].value()).expect("the newest key signed it")
    }

    #[test]
    fn without_consent_nothing_is_written_whatever_the_browser_brought() {
        let clicks = [click("fbclid", "AbC", 1)];
        assert_eq!(answer(at(Level::None), &clicks, "_fbp=fb.1.1.1; _ga=GA1.1.1.1; tg_vid=x"), []);
        assert_eq!(answer(withdrawn(Level::None), &clicks, ""), [], "and there is nothing to take back");
    }

    #[test]
    fn analytics_keeps_the_visitor_and_what_measures() {
        let lines =
            answer(at(Level::Analytics), &[click("fbclid", "AbC", 1)], "_fbp=fb.1.1.1; _ga=GA1.1.12.34; _ttp=t");
        assert_eq!(lines.iter().map(SetCookie::name).collect::<Vec<_>>(), ["__Secure-tg_vid", "_ga"]);
        let attributes = "; Path=/; Max-Age=34560000; SameSite=Lax; Domain=shop.example; Secure";
        assert!(lines[0].to_string().ends_with(&format!("{attributes}; HttpOnly")), "{}", lines[0]);
        assert_eq!(lines[1].to_string(), format!("_ga=GA1.1.12.34{attributes}"));
    }

    #[test]
    fn a_new_visitor_is_issued_now_and_a_known_one_keeps_the_time_under_the_newest_key() {
        let now = Signed { visitor: VISITOR, issued_s: NOW_MS / 1000 };
        assert_eq!(issued(""), now);
        let before = Signed { visitor: VISITOR, issued_s: 1_600_000_000 };
        let old = ring(&["k1"]).sign(before).unwrap();
        assert_eq!(issued(&format!("__Secure-tg_vid={old}")), before);
        assert_eq!(issued("__Secure-tg_vid=v1.k1.forged"), now);
        let another = ring(&["k1"]).sign(Signed { visitor: VisitorId(Uuid::from_u128(8)), issued_s: 5 }).unwrap();
        assert_eq!(issued(&format!("__Secure-tg_vid={another}")), now);
    }

    #[test]
    fn marketing_makes_the_clicks_cookies_and_metas_browser_id() {
        let clicks = [
            click("fbclid", "IwAR_x", NOW_MS),
            click("gclid", "Cj0", NOW_MS),
            click("ScCid", "s", NOW_MS),
            click("awc", "a", 1),
        ];
        let expected =
            ["_fbc=fb.1.1800000000123.IwAR_x", "_fbp=fb.1.1800000000123.77", "_gcl_aw=GCL.1800000000.Cj0", "_scclid=s"];
        assert_eq!(platforms(at(Level::Marketing), &clicks, ""), expected);
        let lines = answer(at(Level::Marketing), &clicks, "");
        let fbc = lines.iter().find(|line| line.name() == "_fbc").unwrap().to_string();
        assert!(fbc.ends_with("; Path=/; Max-Age=7776000; SameSite=Lax; Domain=shop.example; Secure"), "{fbc}");
    }

    #[test]
    fn the_index_in_metas_cookies_is_the_domains_depth() {
        let (ring, jar) = (ring(&["k1"]), Jar::default());
        let browser = Browser { visitor: VISITOR, found: Found::Absent, clicks: &[], jar: &jar };
        for (domain, expected) in [(None, "fb.0."), (Some("shop.example"), "fb.1."), (Some("shop.co.uk"), "fb.2.")] {
            let setting = Setting { ring: &ring, place: &place(domain) };
            let lines = super::cookies(&browser, at(Level::Marketing), MOMENT, &setting);
            let fbp = lines.iter().find(|line| line.name() == "_fbp").unwrap();
            assert!(fbp.value().starts_with(expected), "{fbp}");
        }
    }

    #[test]
    fn a_different_click_replaces_the_cookie_and_the_same_one_keeps_all_of_it() {
        let fbp = "_fbp=fb.1.1.1";
        for (brought, clicks, expected) in [
            ("_fbc=fb.1.100.same.AQ", vec![click("fbclid", "same", 100)], Some("_fbc=fb.1.100.same.AQ")),
            ("_fbc=fb.1.100.same.AQAAAAEB", vec![click("fbclid", "same", 7)], Some("_fbc=fb.1.100.same.AQAAAAEB")),
            ("_fbc=fb.1.100.old.AQ", vec![click("fbclid", "new", NOW_MS)], Some("_fbc=fb.1.1800000000123.new")),
            ("_fbc=fb.1.100.old.AQ", vec![click("fbclid", "", NOW_MS)], Some("_fbc=fb.1.100.old.AQ")),
            ("_fbc=fb.1.100.old", vec![], Some("_fbc=fb.1.100.old")),
            (
                "_fbc=fb.1.100.host; _fbc=fb.1.200.same.AQ",
                vec![click("fbclid", "same", 9)],
                Some("_fbc=fb.1.200.same.AQ"),
            ),
            ("_fbc=nonsense", vec![], None),
            ("_fbc=", vec![], None),
        ] {
            let set = platforms(at(Level::Marketing), &clicks, &format!("{brought}; {fbp}"));
            let fbc = set.iter().find(|pair| pair.starts_with("_fbc")).map(String::as_str);
            assert_eq!(fbc, expected, "{brought} and {clicks:?}");
        }
    }

    #[test]
    fn what_the_browser_has_is_sent_again_and_never_made_up() {
        let brought = "_fbp=fb.1.5.9.AQ; _ga=GA1.1.1.2; _ga_OLD=GS1.1.1.1.1.1700000000.0; \
                       _ga_NOW=GS2.1.s1800000000$o1$g1$t1800000000$j60; _ttp=t; _scid=s; _uetvid=u; theme=dark";
        let expected = [
            "_ga=GA1.1.1.2",
            "_ga_NOW=GS2.1.s1800000000$o1$g1$t1800000000$j60",
            "_fbp=fb.1.5.9.AQ",
            "_ttp=t",
            "_uetvid=u",
            "_scid=s",
        ];
        assert_eq!(platforms(at(Level::Marketing), &[], brought), expected);
        assert_eq!(platforms(at(Level::Marketing), &[], ""), ["_fbp=fb.1.1800000000123.77"]);
    }

    #[test]
    fn who_refuses_measuring_keeps_no_cookie_of_it_whatever_else_is_allowed() {
        let granted = Purposes::ALL.intersection(Purposes::NONE.with(Purpose::Analytics).complement());
        let refused = Standing { granted, ..withdrawn(Level::Marketing) };
        let brought = "_fbp=fb.1.5.9.AQ; _ga=GA1.1.1.2";
        assert_eq!(platforms(refused, &[], brought), ["_ga=", "_ga=", "_fbp=fb.1.5.9.AQ"]);
        assert_eq!(platforms(Standing { turn: Turn::Steady, ..refused }, &[], brought), ["_fbp=fb.1.5.9.AQ"]);
    }

    #[test]
    fn withdrawing_takes_back_what_the_new_level_does_not_cover() {
        let brought = "__Secure-tg_vid=x; _fbp=fb.1.1.1; _ga=GA1.1.1.2; _ga_S=GS1.1.1; _ttp=t; theme=dark";
        let expired = |standing| -> Vec<String> {
            let lines = answer(standing, &[click("fbclid", "x", 1)], brought);
            let gone = lines.iter().map(SetCookie::to_string).filter(|line| line.contains("Max-Age=0;"));
            gone.map(|line| format!("{} {}", line.split('=').next().unwrap(), line.contains("Domain="))).collect()
        };
        let marketing = ["_fbp true", "_fbp false", "_ttp true", "_ttp false"];
        assert_eq!(expired(withdrawn(Level::Analytics)), marketing);
        let all = [
            &["__Secure-tg_vid true", "__Secure-tg_vid false", "_ga true", "_ga false", "_ga_S true", "_ga_S false"][..],
            &marketing,
        ];
        assert_eq!(expired(withdrawn(Level::None)), all.concat());
        assert_eq!(answer(withdrawn(Level::None), &[], brought).len(), 10, "and nothing is set");
        assert_eq!(expired(at(Level::Analytics)), [""; 0]);
        assert_eq!(expired(withdrawn(Level::Marketing)), [""; 0]);
    }
}
