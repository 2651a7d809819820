//! Looking things up in an event.

use crate::{ClickId, Event, Rejection};

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
