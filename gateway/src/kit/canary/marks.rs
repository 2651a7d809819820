//! The marks: values that look like what a field holds, and are unmistakable wherever they turn up.
//!
//! The same plugin gets the same marks each time. Not marked are `user.country`, `user.gender`, `client.locale` and
//! `client.region`, which are too short to be told from chance.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tidegate_event::{ClickId, Client, Consent, Event, EventId, Item, Kind, Level, Page, Session, Signal};
use tidegate_plugin_sdk as sdk;
use tidegate_plugin_sdk::manifest::Manifest;

/// A marked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// As manifests name it: `user.email`.
    pub field: String,
    /// The value as it is planted.
    pub value: String,
    /// The part of it that is unmistakable: letters and digits, in lower case.
    pub token: String,
}

/// Without vowels, so that no word comes of them.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz";
const DIGITS: &[u8] = b"123456789";
const HEX: &[u8] = b"123456789abcdef";
/// The clicks, cookies and traits that are planted whatever the manifest reads: those of the platforms that are known.
const CLICKS: [&str; 9] = ["gclid", "fbclid", "ttclid", "msclkid", "ScCid", "twclid", "li_fat_id", "rdt_cid", "epik"];
const COOKIES: [&str; 6] = ["_fbp", "_fbc", "_ga", "_ttp", "_scid", "canary"];
const TRAITS: [&str; 5] = ["first_name", "last_name", "street", "city", "canary"];
/// The traits that a shape of their own is planted for, or none because they are too short.
const SHAPED: [&str; 6] = ["email", "phone", "date_of_birth", "postal_code", "country", "gender"];
/// The time that is written into cookies, in Unix milliseconds.
const SEEN_MS: u64 = 1_768_000_000_000;

/// Marks for everything that a plugin could be given about somebody, whether it is granted or not.
pub fn marks(manifest: &Manifest) -> Vec<Mark> {
    let make = |field: &str| Maker { seed: format!("{}/{field}", manifest.name), field: field.to_owned() };
    let mut marks = vec![
        make("user.email").with(LETTERS, 16, |it| format!("{}@example.com", capital(it))),
        make("user.phone").with(DIGITS, 9, |it| format!("+49 15{it}")),
        Mark { field: "user.date_of_birth".into(), value: "1931-07-23".into(), token: "19310723".into() },
        make("user.postal_code").with(DIGITS, 8, str::to_owned),
        make("user.id").with(LETTERS, 16, str::to_owned),
        make("user.external_id").with(LETTERS, 16, capital),
        make("user.anonymous_id").with(HEX, 32, uuid),
        make("client.ip").with(HEX, 24, |it| format!("2001:db8:{}", groups(it, 4).join(":"))),
        make("client.user_agent")
            .with(LETTERS, 16, |it| format!("Mozilla/5.0 (X11; Linux x86_64) {}/1.0", capital(it))),
        make("page.url").with(LETTERS, 16, |it| format!("https://shop.example/{it}?canary=1")),
        make("page.title").with(LETTERS, 16, capital),
        make("page.referrer").with(LETTERS, 16, |it| format!("https://elsewhere.example/{it}")),
        make("event.order_id").with(LETTERS, 16, str::to_uppercase),
        make("event.items").with(LETTERS, 16, str::to_owned),
        make("properties.canary").with(LETTERS, 16, str::to_owned),
        make("properties.contact_email").with(LETTERS, 16, |it| format!("{it}@example.com")),
    ];
    let own = |family: &str| {
        let names = manifest.reads.keys().filter_map(|field| field.strip_prefix(family)).filter(|name| *name != "*");
        // What a wildcard covers is tried with one that is called so.
        names.map(|name| name.replace('*', "CANARY")).collect::<Vec<_>>()
    };
    for name in named(&TRAITS, own("user.")) {
        let field = format!("user.{name}");
        if !SHAPED.contains(&name.as_str()) && !marks.iter().any(|mark| mark.field == field) {
            marks.push(make(&field).with(LETTERS, 12, capital));
        }
    }
    marks.extend(named(&CLICKS, own("click.")).iter().map(|kind| click(make(&format!("click.{kind}")), kind)));
    marks.extend(named(&COOKIES, own("cookie.")).iter().map(|name| cookie(make(&format!("cookie.{name}")), name)));
    marks
}

fn named(known: &[&str], own: Vec<String>) -> Vec<String> {
    let more: Vec<String> = own.into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    known.iter().map(|name| (*name).to_owned()).chain(more).collect()
}

fn click(make: Maker, kind: &str) -> Mark {
    match kind {
        "msclkid" => make.with(HEX, 32, str::to_owned),
        "ScCid" | "li_fat_id" => make.with(HEX, 32, uuid),
        _ => make.with(LETTERS, 24, str::to_owned),
    }
}

fn cookie(make: Maker, name: &str) -> Mark {
    match name {
        "_fbp" => make.with(DIGITS, 12, |it| format!("fb.1.{SEEN_MS}.{it}")),
        "_fbc" => make.with(LETTERS, 24, |it| format!("fb.1.{SEEN_MS}.{it}")),
        "_ga" => make.with(DIGITS, 20, |it| format!("GA1.1.{}.{}", &it[..10], &it[10..])),
        name if name.starts_with("_ga_") => {
            make.with(DIGITS, 10, |it| format!("GS2.1.s{it}$o1$g1$t{}$j60$l0$h0", SEEN_MS / 1_000))
        }
        "_scid" => make.with(HEX, 32, uuid),
        _ => make.with(LETTERS, 24, str::to_owned),
    }
}

struct Maker {
    seed: String,
    field: String,
}

impl Maker {
    /// A token of this many characters, and the value that has it.
    fn with(self, alphabet: &[u8], length: usize, value: impl Fn(&str) -> String) -> Mark {
        let bytes = Sha256::digest(self.seed);
        let token: String = bytes
            .iter()
            .cycle()
            .take(length)
            .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
            .collect();
        let value = value(&token);
        let token = if value.contains('-') && length == 32 { value.replace('-', "") } else { token };
        Mark { field: self.field, value, token }
    }
}

fn capital(token: &str) -> String {
    let (first, rest) = token.split_at(1);
    first.to_uppercase() + rest
}

fn groups(token: &str, length: usize) -> Vec<String> {
    token.as_bytes().chunks(length).map(|group| String::from_utf8_lossy(group).into_owned()).collect()
}

/// 32 hexadecimal digits as a UUID of version 7.
fn uuid(token: &str) -> String {
    format!("{}-{}-7{}-8{}-{}", &token[..8], &token[8..12], &token[13..16], &token[17..20], &token[20..])
}

/// The event of a fixture, in the gateway's own form, with the marks in it: of the fixture's own are its name and kind,
/// its times, its worth, its items and its properties.
pub fn planted(fixture: &sdk::Event, marks: &[Mark]) -> Event {
    let family = |family: &'static str| {
        marks.iter().filter_map(move |mark| Some((mark.field.strip_prefix(family)?.to_owned(), mark.value.clone())))
    };
    let value = |field: &str| marks.iter().find(|mark| mark.field == field).map(|mark| mark.value.clone());
    let mut properties: serde_json::Map<_, _> = serde_json::from_str(&fixture.properties).unwrap_or_default();
    properties.extend(family("properties.").map(|(name, value)| (name, json!(value))));
    let mut identifiers: std::collections::BTreeMap<String, String> = family("user.").collect();
    let user_id = identifiers.remove("id");
    let anonymous_id = identifiers.remove("anonymous_id");
    identifiers.extend([("country".to_owned(), "AT".to_owned()), ("gender".to_owned(), "f".to_owned())]);
    let clicks =
        family("click.").map(|(kind, value)| ClickId { kind, value, seen_ms: fixture.at_ms.saturating_sub(60_000) });
    let mut consent = Consent::at(Level::Marketing, Signal::Event);
    consent.limited_data_use = fixture.consent.limited_data_use;
    Event {
        id: EventId::parse(&fixture.id).unwrap_or_else(|_| EventId::from(uuid::Uuid::nil())),
        name: fixture.name.clone(),
        name_sent: None,
        kind: kind(fixture.kind),
        at_ms: fixture.at_ms,
        received_ms: fixture.received_ms,
        anonymous_id,
        user_id,
        identifiers,
        clicks: clicks.collect(),
        cookies: family("cookie.").collect(),
        page: Page { url: value("page.url"), title: value("page.title"), referrer: value("page.referrer") },
        client: Client {
            ip: value("client.ip"),
            user_agent: value("client.user_agent"),
            locale: Some("de-AT".into()),
            region: Some("AT-9".into()),
        },
        session: fixture.session.as_ref().map(|it| Session {
            id: it.id.clone(),
            number: it.number,
            engagement_ms: it.engagement_ms,
        }),
        consent,
        value: fixture.value.or(Some(12.34)),
        currency: fixture.currency.clone().or_else(|| Some("EUR".into())),
        order_id: value("event.order_id"),
        items: fixture.items.iter().map(item).chain(value("event.items").map(marked_item)).collect(),
        properties,
    }
}

fn kind(kind: sdk::EventKind) -> Kind {
    match kind {
        sdk::EventKind::Track => Kind::Track,
        sdk::EventKind::Page => Kind::Page,
        sdk::EventKind::Screen => Kind::Screen,
        sdk::EventKind::Identify => Kind::Identify,
        sdk::EventKind::Group => Kind::Group,
        sdk::EventKind::Alias => Kind::Alias,
    }
}

fn item(item: &sdk::Item) -> Item {
    let sdk::Item { id, name, quantity, price, brand, category, variant, properties } = item.clone();
    let properties = serde_json::from_str(&properties).unwrap_or_default();
    Item { id, name, quantity, price, brand, category, variant, properties }
}

fn marked_item(id: String) -> Item {
    Item { id: Some(id), name: Some("Canary".into()), quantity: Some(1.0), price: Some(1.0), ..Item::default() }
}
