//! What a request and its event bring: every signal that is there, read, and not yet weighed.

use serde_json::{Map, Value};
use tidegate_event::{Level, Signal};

use crate::cookie::Stored;
use crate::gpp::Gpp;
use crate::own::EXPECTED;
use crate::reading::{Reading, purposes_of_answers};
use crate::tcf::Tcf;
use crate::{FieldError, Own, Region, Rules, Unreadable, google};

/// What an event's `consent` may have in it.
const KNOWN: [&str; 10] = [
    "analytics",
    "marketing",
    "default",
    "google",
    "gcs",
    "gcd",
    "tcf",
    "gpp",
    "categoryPreferences",
    "limited_data_use",
];

/// The signals of a request, or of an event in it, or of both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    said: Vec<Said>,
    gpc: bool,
    limited_data_use: bool,
    region: Option<Region>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// Our own, and when it was said, in Unix seconds.
    Own(Own, Option<u64>),
    /// What the page lets hold until its visitor answers.
    Default(Level),
    Cookie(Result<Stored, Unreadable>),
    Google(google::Mode),
    Tcf(Result<Tcf, Unreadable>),
    Gpp(Result<Gpp, Unreadable>),
    /// Segment's categories, on or off.
    Categories(Vec<(String, bool)>),
}

impl Signals {
    /// Reads an event's `consent`: a level's name, or an object with any of `analytics`, `marketing`, `default` (a level that
    /// holds until the visitor answers), `google`, `gcs`, `gcd`, `tcf`, `gpp`, `limited_data_use`, and Segment's `categoryPreferences`. `field` is its path.
    ///
    /// A `tcf` or `gpp` that is text but cannot be read is no error: it counts as a refusal.
    ///
    /// # Errors
    /// When it is something else, or has something else in it: a misspelt signal would be a refusal lost in silence. Only
    /// beside `categoryPreferences` other fields are let be.
    pub fn parse(value: &Value, field: &str) -> Result<Signals, FieldError> {
        let mut signals = Signals::default();
        let Value::Object(object) = value else {
            signals.own(Own::parse(value, field)?);
            return Ok(signals);
        };
        // Segment's own form has more in it, such as a version.
        let ours = !object.contains_key("categoryPreferences");
        if let Some(unknown) = object.keys().find(|name| ours && !KNOWN.contains(&name.as_str())) {
            return Err(FieldError {
                field: format!("{field}.{unknown}"),
                expected: "`analytics`, `marketing`, `default`, `google`, `gcs`, `gcd`, `tcf`, `gpp`, `categoryPreferences` or \
                    `limited_data_use`",
                found: "an unknown field".into(),
            });
        }
        let present = |name: &str| object.get(name).filter(|value| !value.is_null());
        if present("analytics").or(present("marketing")).is_some() {
            signals.own(Own::parse(value, field)?);
        }
        if let Some(level) = text(object, "default", field)? {
            let path = format!("{field}.default");
            let wrong = || FieldError::wrong(path, "`none`, `analytics` or `marketing`", &Value::from(level));
            signals.said.push(Said::Default(Level::parse(level).ok_or_else(wrong)?));
        }
        signals.parse_google(object, field)?;
        if let Some(string) = text(object, "tcf", field)? {
            signals.tcf(string);
        }
        if let Some(string) = text(object, "gpp", field)? {
            signals.gpp(string);
        }
        if let Some(preferences) = present("categoryPreferences") {
            let path = || format!("{field}.categoryPreferences");
            let preferences =
                preferences.as_object().ok_or_else(|| FieldError::wrong(path(), "an object", preferences))?;
            signals.categories(preferences.iter().map(|(name, on)| (name.clone(), on.as_bool() == Some(true))));
        }
        match present("limited_data_use") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => signals.limited_data_use = true,
            Some(other) => return Err(FieldError::wrong(format!("{field}.limited_data_use"), "true or false", other)),
        }
        if KNOWN.iter().all(|name| present(name).is_none()) {
            return Err(FieldError::wrong(field, EXPECTED, value));
        }
        Ok(signals)
    }

    fn parse_google(&mut self, object: &Map<String, Value>, field: &str) -> Result<(), FieldError> {
        if let Some(fields) = object.get("google").filter(|value| !value.is_null()) {
            self.google(google::from_object(fields, &format!("{field}.google"))?);
        }
        if let Some(code) = text(object, "gcs", field)? {
            self.google(google::from_gcs(code, &format!("{field}.gcs"))?);
        }
        if let Some(code) = text(object, "gcd", field)? {
            self.google(google::from_gcd(code, &format!("{field}.gcd"))?);
        }
        Ok(())
    }

    /// Adds what the visitor told us in our own terms.
    pub fn own(&mut self, own: Own) {
        self.said.push(Said::Own(own, None));
    }

    /// Adds the value of our own cookie, [`crate::cookie::NAME`].
    pub fn cookie(&mut self, value: &str) {
        self.said.push(Said::Cookie(Stored::parse(value)));
    }

    /// Adds what Google Consent Mode says.
    pub fn google(&mut self, mode: google::Mode) {
        self.said.push(Said::Google(mode));
    }

    /// Adds a consent string, of the cookie [`crate::tcf::COOKIE`] or of a field.
    pub fn tcf(&mut self, string: &str) {
        self.said.push(Said::Tcf(Tcf::read(string)));
    }

    /// Adds a string of the Global Privacy Platform.
    pub fn gpp(&mut self, string: &str) {
        self.said.push(Said::Gpp(Gpp::read(string)));
    }

    /// Adds Segment's categories, each on or off.
    pub fn categories(&mut self, categories: impl IntoIterator<Item = (String, bool)>) {
        self.said.push(Said::Categories(categories.into_iter().collect()));
    }

    /// Adds the header `Sec-GPC`, which means something when it is `1`.
    pub fn sec_gpc(&mut self, header: &str) {
        self.gpc |= header.trim() == "1";
    }

    /// Adds that the visitor opted out of sale or sharing.
    pub fn limited_data_use(&mut self) {
        self.limited_data_use = true;
    }

    /// Says where the visitor is. Only the default goes by it.
    pub fn region(&mut self, region: Region) {
        self.region = Some(region);
    }

    /// Says when the event was, in Unix seconds: what the visitor told us with it is of that time.
    pub fn told_at(&mut self, event_at_s: u64) {
        for said in &mut self.said {
            if let Said::Own(_, at_s) = said {
                *at_s = Some(event_at_s);
            }
        }
    }

    /// These and others, such as a request's and an event's.
    #[must_use]
    pub fn and(mut self, other: Signals) -> Signals {
        self.said.extend(other.said);
        self.gpc |= other.gpc;
        self.limited_data_use |= other.limited_data_use;
        self.region = other.region.or(self.region);
        self
    }

    /// What holds for the browser from now on, where that is not the same: without what was told with the event, if the cookie
    /// was told later. Such an event has waited in the browser meanwhile.
    pub fn from_now_on(&self) -> Option<Signals> {
        let cookie_at_s = self.cookie_at_s()?;
        let has_waited = |said: &Said| matches!(said, Said::Own(_, Some(at_s)) if *at_s < cookie_at_s);
        let mut signals = self.said.iter().any(has_waited).then(|| self.clone())?;
        signals.said.retain(|said| !has_waited(said));
        Some(signals)
    }

    /// When the visitor last told us something, in Unix milliseconds: with the event of that time, or what the cookie keeps.
    pub fn told_at_ms(&self, event_at_ms: u64) -> Option<u64> {
        let (own_at_s, cookie_at_s) = (self.own_at_s(), self.cookie_at_s());
        let with_event = own_at_s.is_some() && own_at_s >= cookie_at_s;
        if with_event { Some(event_at_ms) } else { cookie_at_s.map(|at_s| at_s.saturating_mul(1_000)) }
    }

    /// What our own cookie is to keep from now on: what the visitor told us with this event, unless the cookie keeps
    /// something that was told later. Nothing where nothing was told, or where nobody knows when; and a refusal of
    /// everything only over a cookie that is there, since whoever refuses everything is given none.
    pub fn cookie_to_write(&self) -> Option<Stored> {
        let told = self.said.iter().filter_map(|said| match said {
            Said::Own(own, Some(at_s)) => Some(Stored::of(*own, *at_s)),
            _ => None,
        });
        let told = told.min_by_key(|stored| stored.level).filter(|told| self.cookie_at_s() <= Some(told.at_s))?;
        let has_cookie = self.said.iter().any(|said| matches!(said, Said::Cookie(_)));
        (told.level > Level::None || has_cookie).then_some(told)
    }

    /// When the newest of the cookies was told.
    fn cookie_at_s(&self) -> Option<u64> {
        let cookies = self.said.iter().filter_map(|said| match said {
            Said::Cookie(Ok(stored)) => Some(stored.at_s),
            _ => None,
        });
        cookies.max()
    }

    /// When the visitor last told us something with an event.
    fn own_at_s(&self) -> Option<u64> {
        let owns = self.said.iter().filter_map(|said| if let Said::Own(_, at_s) = said { *at_s } else { None });
        owns.min()
    }

    /// What each signal says that says anything, by a site's rules.
    pub(crate) fn readings(&self, rules: &Rules) -> Vec<Reading> {
        let own_at_s = self.own_at_s();
        let mut readings = Vec::with_capacity(self.said.len());
        for said in &self.said {
            match said {
                Said::Own(own, _) => readings.push(own.reading(Signal::Event)),
                Said::Default(level) => readings.push(Reading::default(*level, Signal::PageDefault)),
                // The visitor has told us something else since. The cookie was there first, also within one second.
                Said::Cookie(Ok(stored)) if own_at_s.is_some_and(|at_s| at_s >= stored.at_s) => {}
                Said::Cookie(Err(_)) if own_at_s.is_some() => {}
                Said::Cookie(Ok(stored)) => readings.push(Own::at(stored.level).reading(Signal::ConsentCookie)),
                Said::Cookie(Err(_)) => readings.push(Reading::unreadable(Signal::ConsentCookie)),
                Said::Google(mode) => readings.extend(mode.reading()),
                Said::Tcf(Ok(tcf)) => readings.push(tcf.reading(&rules.tcf, Signal::Tcf)),
                Said::Tcf(Err(_)) => readings.push(Reading::unreadable(Signal::Tcf)),
                Said::Gpp(Ok(gpp)) => {
                    readings.extend(gpp.tcf().iter().map(|tcf| tcf.reading(&rules.tcf, Signal::Gpp)));
                }
                Said::Gpp(Err(_)) => readings.push(Reading::unreadable(Signal::Gpp)),
                Said::Categories(categories) => readings.extend(categories_reading(categories, rules)),
            }
        }
        readings
    }

    /// Whether the browser has Global Privacy Control on.
    pub(crate) fn has_gpc(&self) -> bool {
        self.gpc
    }

    /// Whether a section of the Global Privacy Platform has an opt-out.
    pub(crate) fn has_gpp_opt_out(&self) -> bool {
        self.said.iter().any(|said| matches!(said, Said::Gpp(Ok(gpp)) if gpp.is_opted_out()))
    }

    /// Whether the event itself asks for limited use.
    pub(crate) fn has_limited_data_use(&self) -> bool {
        self.limited_data_use
    }

    pub(crate) fn place(&self) -> Option<Region> {
        self.region
    }
}

/// A level is on when all its categories that are named are. Preferences that name none of the configured categories say
/// nothing.
fn categories_reading(categories: &[(String, bool)], rules: &Rules) -> Option<Reading> {
    let answer = |level: Level| {
        let named = categories.iter().filter(|(category, _)| {
            rules.segment_categories.iter().any(|(name, of)| *of == level && name.eq_ignore_ascii_case(category))
        });
        named.map(|(_, on)| *on).reduce(|all, on| all && on)
    };
    let (analytics, marketing) = (answer(Level::Analytics), answer(Level::Marketing));
    analytics.or(marketing)?;
    Some(Reading::of(purposes_of_answers(analytics, marketing), Signal::SegmentCategories))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str, field: &str) -> Result<Option<&'a str>, FieldError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(FieldError::wrong(format!("{field}.{name}"), "text", other)),
    }
}
