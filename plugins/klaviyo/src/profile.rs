//! Whose event it is: the profile that Klaviyo records it for, and what an identify call tells of it.
//!
//! Source: `EventProfileCreateQueryResourceObject` and `ProfileUpsertQuery` of Klaviyo's OpenAPI description. "At a minimum,
//! profile and metric objects should include at least one profile identifier (e.g., `id`, `email`, or `phone_number`)".

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::{Event, RawPairs, Rejection, Request};

use crate::event::{self, Source};

/// What identifies a profile. At least one is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(rename = "_kx", skip_serializing_if = "Option::is_none")]
    kx: Option<Cow<'a, str>>,
}

/// A profile's attributes. A field that is not known is left out, because `null` would clear it.
#[derive(Debug, Serialize)]
pub(crate) struct Attributes<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    #[serde(skip_serializing_if = "Location::is_empty")]
    location: Location<'a>,
    #[serde(skip_serializing_if = "Traits::is_empty")]
    properties: Traits<'a>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

impl Location<'_> {
    fn is_empty(&self) -> bool {
        *self == Location::default()
    }
}

/// Ids that travel among the properties of a call and are no traits.
const IDS: [&str; 2] = ["groupId", "previousId"];

/// A profile's custom properties.
#[derive(Debug)]
struct Traits<'a>(Option<&'a RawPairs<'a>>);

impl Traits<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_none_or(|traits| traits.iter().all(|(name, _)| IDS.contains(&name)))
    }
}

impl Serialize for Traits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.into_iter().flat_map(RawPairs::iter).filter(|(name, _)| !IDS.contains(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Finds out whose event it is.
///
/// # Errors
/// A skip when it is nobody's that Klaviyo could write to: most visits are.
pub(crate) fn identity(event: &Event) -> Result<Identity<'_>, Rejection> {
    let external_id = known(event, "external_id").or(event.user_id.as_deref());
    let mut identity = Identity {
        email: known(event, "email").filter(|email| is_email(email)),
        phone_number: known(event, "phone").filter(|phone| is_e164(phone)),
        external_id: external_id.map(str::trim).filter(|id| !id.is_empty()),
        kx: None,
    };
    if identity == Identity::default() {
        // Klaviyo refuses an event whose exchange id has expired, so it stands in only where nothing else is known.
        identity.kx = event.page_url().and_then(exchange_id);
    }
    if identity == Identity::default() {
        return Err(Rejection::skip("nobody that Klaviyo could know: no e-mail address, phone number or customer id"));
    }
    Ok(identity)
}

impl<'a> Attributes<'a> {
    /// Nothing but what identifies the profile.
    pub(crate) fn only(identity: Identity<'a>) -> Attributes<'a> {
        Attributes {
            identity,
            first_name: None,
            last_name: None,
            locale: None,
            location: Location::default(),
            properties: Traits(None),
        }
    }
}

/// All that is known of a profile; `traits` are its custom properties.
pub(crate) fn attributes<'a>(
    identity: Identity<'a>,
    event: &'a Event,
    traits: Option<&'a RawPairs<'a>>,
) -> Attributes<'a> {
    Attributes {
        identity,
        first_name: known(event, "first_name"),
        last_name: known(event, "last_name"),
        locale: event.client.as_ref().and_then(|client| client.locale.as_deref()),
        location: Location {
            address1: known(event, "street"),
            city: known(event, "city"),
            region: known(event, "state"),
            zip: known(event, "postal_code"),
            country: known(event, "country"),
        },
        properties: Traits(traits),
    }
}

/// The request that creates or updates a profile.
pub(crate) fn import(identity: Identity<'_>, source: Source<'_>) -> Result<Request, Rejection> {
    #[derive(Serialize)]
    struct Data<'a> {
        r#type: &'static str,
        attributes: Attributes<'a>,
    }
    let attributes = attributes(identity, source.event, Some(source.properties));
    event::request("profiles", &Data { r#type: "profile", attributes }, source.config)
}

fn known<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.identifier(key).filter(|value| !value.is_empty())
}

/// Klaviyo refuses an event with an address that is none.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let clean =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    clean(local) && clean(domain) && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')
}

/// E.164: `+`, a country code, which never begins with 0, and at most 15 digits in all. Klaviyo refuses an event with another.
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

/// The parameter `_kx`, which Klaviyo adds to links in its messages.
fn exchange_id(url: &str) -> Option<Cow<'_, str>> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next()?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("_kx="))?;
    let decoded = decode(value);
    (!decoded.is_empty()).then_some(decoded)
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_klaviyo_takes_is_an_address_or_a_number() {
        assert!(is_email("jane.doe+shop@mail.example.com"));
        for wrong in ["", "jane", "jane@", "@example.com", "jane@example", "ja ne@example.com", "a@b@c.d ", "a@.com"] {
            assert!(!is_email(wrong), "{wrong}");
        }
        assert!(is_e164("+15005550006"));
        for wrong in ["", "15005550006", "+05005550006", "+1500", "+1234567890123456", "+1500555000x"] {
            assert!(!is_e164(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_exchange_id_is_found_in_an_address() {
        let found = |url| exchange_id(url).map(Cow::into_owned);
        assert_eq!(found("https://s.example/?a=1&_kx=Ab%2BC.XyZ%3D#x").as_deref(), Some("Ab+C.XyZ="));
        assert_eq!(found("https://s.example/?_kx=100%").as_deref(), Some("100%"));
        for none in ["https://s.example/", "https://s.example/?_kx=", "https://s.example/#?_kx"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
