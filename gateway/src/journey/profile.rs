//! The profile join: what a visitor's earlier events told is added to this one, and what this one tells is remembered.
//!
//! Only at the marketing level: at any other a profile is neither read nor written, but for what a withdrawal changes.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use tidegate_event::{ClickId, Client, Event, Identifiers, Level, clicks_merge};
use tidegate_queue::{ProfileField, ProfilePatch, Queue};

use super::consent::Consented;
use super::visit::{Lasts, Sender};
use super::withdrawal::{self, Keeping, Leaves};

const IDENTIFIERS: &str = "identifiers";
const CLICKS: &str = "clicks";
const COOKIES: &str = "cookies";
const CLIENT: &str = "client";
/// On a user's profile: the anonymous id that the user was last seen with.
const LINK: &str = "anonymous";
/// On a browser's profile: the user whose identifiers it holds.
const USER: &str = "user";
/// No platform attributes a conversion to an older click.
const CLICK_AGE_MAX_MS: u64 = 90 * 86_400_000;
/// There are fewer platforms than that.
const CLICKS_MAX: usize = 32;

/// The profiles as they will be when the events before this one are stored.
pub struct Profiles<'a> {
    pub queue: &'a dyn Queue,
    /// What the earlier events of the same request tell: a client sends who somebody is and what they do together.
    pub told: &'a [ProfilePatch],
}

/// How profiles are called.
pub(super) mod key {
    /// A browser's.
    pub(in crate::journey) fn anonymous(site: &str, id: &str) -> String {
        format!("{site}/anonymous/{id}")
    }

    /// A user's.
    pub(in crate::journey) fn user(site: &str, id: &str) -> String {
        format!("{site}/user/{id}")
    }
}

/// How long profiles are kept after they were last written.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime {
    pub profile_ms: u64,
    /// A withdrawal, so that no delivery outlives it.
    pub withdrawal_ms: u64,
}

/// Joins an event with its visitor's profile; gives what is new for the profile.
pub async fn join(
    consented: &mut Consented,
    site: &str,
    sender: Sender,
    lifetime: Lifetime,
    profiles: Profiles<'_>,
) -> Result<Vec<ProfilePatch>, tidegate_queue::Error> {
    let event = &mut consented.event;
    let now_ms = event.received_ms;
    if event.consent.level < Level::Marketing {
        let Some(withdrawing) = &consented.withdrawing else { return Ok(Vec::new()) };
        let keeping = Keeping { site, expires_ms: now_ms.saturating_add(lifetime.withdrawal_ms) };
        return withdrawal::withdraw(withdrawing, event, keeping, &profiles).await;
    }
    let anonymous_key = event.anonymous_id.as_ref().map(|id| key::anonymous(site, id));
    let user_key = event.user_id.as_ref().map(|id| key::user(site, id));
    let mut anonymous = profiles.read(anonymous_key.as_deref(), now_ms).await?;
    let user = profiles.read(user_key.as_deref(), now_ms).await?;
    let linked_id = user.text(LINK).filter(|linked| Some(*linked) != event.anonymous_id.as_deref());
    let linked_key = linked_id.map(|id| key::anonymous(site, id));
    let mut linked = profiles.read(linked_key.as_deref(), now_ms).await?;
    // A browser may have been another user's before, or may be by now: its clicks stay, but who that was does not.
    for profile in [&mut anonymous, &mut linked] {
        profile.forget_all_but(event.user_id.as_deref());
    }

    let own = Told::of(event, sender);
    let own_clicks = event.clicks.clone();
    let mut patches = Vec::new();
    let consent = event.consent;
    let mut patch = |key: Option<String>, profile: &Profile, fields: Vec<ProfileField>| {
        let Some(key) = key else { return };
        // A backend's users need not be known by their profiles.
        let leaves =
            if fields.is_empty() && user_key.as_ref() != Some(&key) { Leaves::Nothing } else { Leaves::Something };
        if let Some(noted) = withdrawal::noted(profile, consent, now_ms, leaves) {
            let expires_ms = now_ms.saturating_add(lifetime.withdrawal_ms);
            patches.push(ProfilePatch { key: key.clone(), fields: vec![noted], expires_ms });
        }
        if !fields.is_empty() {
            patches.push(ProfilePatch { key, fields, expires_ms: now_ms.saturating_add(lifetime.profile_ms) });
        }
    };
    // What a browser told belongs to the browser, and the user is linked to it; a backend's user has a profile alone.
    // Clicks are the user's too: one on the telephone may lead to an order from the desk.
    match (&event.anonymous_id, consented.lasts) {
        (Some(id), Lasts::ForGood) => {
            let link = field(LINK, id.clone(), now_ms);
            let mut news = own.news(&anonymous, now_ms);
            news.extend(anonymous.user_news(event.user_id.as_deref(), now_ms));
            patch(anonymous_key.clone(), &anonymous, news);
            let mut news = if user.text(LINK) == Some(id) { vec![] } else { vec![link] };
            let earlier: Vec<ClickId> = user.parsed(CLICKS);
            let clicks = newest(own_clicks.into_iter().chain(anonymous.own_clicks()).chain(earlier));
            changed(&user, CLICKS, &clicks, clicks.is_empty(), now_ms, &mut news);
            patch(user_key.clone(), &user, news);
        }
        // Whoever shares the day's id is told nothing of the other.
        (Some(_), Lasts::Today) => {
            patch(anonymous_key.clone(), &anonymous, Vec::new());
            patch(user_key.clone(), &user, own.news(&user, now_ms));
            anonymous = Profile::default();
        }
        (None, _) => patch(user_key.clone(), &user, own.news(&user, now_ms)),
    }
    for profile in [&anonymous, &user, &linked] {
        profile.add_to(event, sender);
    }
    if event.anonymous_id.is_none() && !linked.is_anothers {
        // A backend knows its customer; which browser that is, the link knows, and whoever counts browsers needs it.
        event.anonymous_id = linked_id.map(str::to_owned);
    }
    Ok(patches)
}

impl Profiles<'_> {
    pub(super) async fn read(&self, key: Option<&str>, now_ms: u64) -> Result<Profile, tidegate_queue::Error> {
        let Some(key) = key else { return Ok(Profile::default()) };
        let mut fields = self.queue.profile(key, now_ms).await?;
        // They are stored in this order, and of equally new values the later wins.
        for told in self.told.iter().filter(|patch| patch.key == key).flat_map(|patch| &patch.fields) {
            fields.retain(|field| field.name != told.name);
            fields.push(told.clone());
        }
        Ok(Profile { fields, is_anothers: false })
    }
}

/// A stored profile.
#[derive(Debug, Default)]
pub(super) struct Profile {
    fields: Vec<ProfileField>,
    /// Its identifiers were those of another user, and are left out.
    is_anothers: bool,
}

impl Profile {
    /// Whether anything was ever written on it, also what is emptied by now.
    pub(super) fn is_known(&self) -> bool {
        !self.fields.is_empty()
    }

    /// A field's value; an empty one was forgotten.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(field.value.as_str()).filter(|value| !value.is_empty())
    }

    /// On a browser's: its user.
    pub(super) fn user(&self) -> Option<&str> {
        self.text(USER)
    }

    /// On a user's: the browser it was last seen with.
    pub(super) fn linked(&self) -> Option<&str> {
        self.text(LINK)
    }

    /// When it was last written, or now, whichever is later: of two values the newer one stays, and a clock may be set back.
    pub(super) fn after_ms(&self, now_ms: u64) -> u64 {
        self.fields.iter().map(|field| field.seen_ms).fold(now_ms, u64::max)
    }

    /// The fields that empty all that it knows.
    pub(super) fn emptied(&self, now_ms: u64) -> Vec<ProfileField> {
        let full =
            [IDENTIFIERS, CLICKS, COOKIES, CLIENT, LINK, USER].into_iter().filter(|name| self.text(name).is_some());
        full.map(|name| field(name, String::new(), self.after_ms(now_ms))).collect()
    }

    /// A field's value; one that cannot be read counts as absent and is written anew.
    fn parsed<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        self.text(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Its clicks, unless they may have been another user's.
    fn own_clicks(&self) -> Vec<ClickId> {
        if self.is_anothers { Vec::new() } else { self.parsed(CLICKS) }
    }

    /// Empties the identifiers of another user than this one.
    fn forget_all_but(&mut self, user_id: Option<&str>) {
        let Some(owner) = self.text(USER) else { return };
        if user_id.is_some_and(|user_id| user_id != owner) {
            self.fields.retain(|field| field.name != IDENTIFIERS);
            self.is_anothers = true;
        }
    }

    /// The fields that make a browser's profile this user's, where it is not yet.
    fn user_news(&self, user_id: Option<&str>, now_ms: u64) -> Vec<ProfileField> {
        let Some(user_id) = user_id.filter(|user_id| self.text(USER) != Some(user_id)) else { return Vec::new() };
        vec![field(USER, user_id.to_owned(), now_ms)]
    }

    /// Adds what the event does not say itself.
    fn add_to(&self, event: &mut Event, sender: Sender) {
        if self.fields.is_empty() {
            return;
        }
        for (name, value) in self.parsed::<Identifiers>(IDENTIFIERS) {
            event.identifiers.entry(name).or_insert(value);
        }
        for (name, value) in self.parsed::<BTreeMap<String, String>>(COOKIES) {
            event.cookies.entry(name).or_insert(value);
        }
        let oldest_ms = event.received_ms.saturating_sub(CLICK_AGE_MAX_MS);
        let clicks = self.parsed::<Vec<ClickId>>(CLICKS).into_iter().filter(|click| click.seen_ms >= oldest_ms);
        clicks_merge(&mut event.clicks, clicks);
        if sender == Sender::Backend && event.client.ip.is_none() && event.client.user_agent.is_none() {
            let Client { ip, user_agent, .. } = self.parsed(CLIENT);
            (event.client.ip, event.client.user_agent) = (ip, user_agent);
        }
    }
}

/// What an event itself tells of its visitor.
struct Told {
    identifiers: Identifiers,
    clicks: Vec<ClickId>,
    cookies: BTreeMap<String, String>,
    client: Option<Client>,
}

impl Told {
    fn of(event: &Event, sender: Sender) -> Told {
        let client = (sender == Sender::Browser).then(|| event.client.clone());
        let (identifiers, clicks) = (event.identifiers.clone(), event.clicks.clone());
        Told { identifiers, clicks, cookies: event.cookies.clone(), client }
    }

    /// The fields that change the stored profile: most events change nothing, and then nothing is written.
    fn news(self, stored: &Profile, now_ms: u64) -> Vec<ProfileField> {
        let mut fields = Vec::new();
        let mut identifiers = stored.parsed::<Identifiers>(IDENTIFIERS);
        identifiers.extend(self.identifiers);
        // What was forgotten for being another user's is overwritten, if by nothing.
        let nothing = identifiers.is_empty() && !stored.is_anothers;
        changed(stored, IDENTIFIERS, &identifiers, nothing, now_ms, &mut fields);
        let mut clicks = self.clicks;
        clicks_merge(&mut clicks, stored.parsed::<Vec<ClickId>>(CLICKS));
        clicks.truncate(CLICKS_MAX);
        changed(stored, CLICKS, &clicks, clicks.is_empty(), now_ms, &mut fields);
        let mut cookies = stored.parsed::<BTreeMap<String, String>>(COOKIES);
        cookies.extend(self.cookies);
        changed(stored, COOKIES, &cookies, cookies.is_empty(), now_ms, &mut fields);
        if let Some(client) = self.client {
            changed(stored, CLIENT, &client, client == Client::default(), now_ms, &mut fields);
        }
        fields
    }
}

/// Of each kind the click that was seen last; the same one keeps its first time.
fn newest(clicks: impl Iterator<Item = ClickId>) -> Vec<ClickId> {
    let mut kept: Vec<ClickId> = Vec::new();
    for click in clicks {
        match kept.iter_mut().find(|known| known.kind == click.kind) {
            Some(known) if known.value == click.value => known.seen_ms = known.seen_ms.min(click.seen_ms),
            Some(known) if known.seen_ms < click.seen_ms => *known = click,
            Some(_) => {}
            None => kept.push(click),
        }
    }
    kept.truncate(CLICKS_MAX);
    kept
}

fn changed<T: serde::Serialize>(
    stored: &Profile,
    name: &str,
    value: &T,
    is_empty: bool,
    now_ms: u64,
    into: &mut Vec<ProfileField>,
) {
    let Ok(text) = serde_json::to_string(value) else { return };
    if !is_empty && stored.text(name) != Some(&text) {
        into.push(field(name, text, now_ms));
    }
}

pub(super) fn field(name: &str, value: String, seen_ms: u64) -> ProfileField {
    ProfileField { name: name.into(), value, seen_ms }
}
