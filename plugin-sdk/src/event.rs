//! Looking things up in an event.

use crate::{ClickId, Event, EventKind, Rejection};

impl Event {
    /// The identifier with this key, `email` for one, in the form that the manifest was granted.
    pub fn identifier(&self, key: &str) -> Option<&str> {
        self.identifiers.iter().find(|identifier| identifier.key == key).map(|identifier| identifier.value.as_str())
    }

    /// The click of this kind, `fbclid` for one.
    pub fn click(&self, kind: &str) -> Option<&ClickId> {
        self.clicks.iter().find(|click| click.kind == kind)
    }

    /// The value of this first-party cookie, `_fbp` for one.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The visitor's user agent.
    pub fn user_agent(&self) -> Option<&str> {
        self.client.as_ref()?.user_agent.as_deref()
    }

    /// The visitor's IP address.
    pub fn ip(&self) -> Option<&str> {
        self.client.as_ref()?.ip.as_deref()
    }

    /// The URL of the page that the event happened on.
    pub fn page_url(&self) -> Option<&str> {
        self.page.as_ref()?.url.as_deref()
    }
}

impl EventKind {
    /// The kind's name in Segment's format and in fixtures: `track`.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Track => "track",
            EventKind::Page => "page",
            EventKind::Screen => "screen",
            EventKind::Identify => "identify",
            EventKind::Group => "group",
            EventKind::Alias => "alias",
        }
    }
}

impl Rejection {
    /// The event is none of this destination's business.
    pub fn skip(reason: impl Into<String>) -> Rejection {
        Rejection::Skip(reason.into())
    }

    /// The platform would refuse the event, or take it and learn nothing from it.
    pub fn invalid(reason: impl Into<String>) -> Rejection {
        Rejection::Invalid(reason.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identifier;

    #[test]
    fn what_was_not_granted_is_not_found() {
        let event = Event::example();
        assert_eq!((event.identifier("email"), event.cookie("_fbp"), event.ip()), (None, None, None));
        assert_eq!((event.click("fbclid"), event.user_agent(), event.page_url()), (None, None, None));
    }

    #[test]
    fn what_is_there_is_found_by_its_exact_name() {
        let event = Event {
            identifiers: vec![Identifier { key: "email".into(), value: "62a1".into() }],
            clicks: vec![ClickId { kind: "fbclid".into(), value: "AbC".into(), seen_ms: 1 }],
            cookies: vec![("_fbp".into(), "fb.1.1.2".into())],
            ..Event::example()
        };
        assert_eq!(event.identifier("email"), Some("62a1"));
        assert_eq!(event.click("fbclid").map(|click| click.value.as_str()), Some("AbC"));
        assert_eq!(event.cookie("_fbp"), Some("fb.1.1.2"));
        assert_eq!(event.cookie("_FBP"), None);
    }
}
