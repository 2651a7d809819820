//! Looking things up in an event, and refusing it.

use crate::{ClickId, Event, EventKind, Rejection, names, time, url};

impl Event {
    /// The event's name in the vocabulary that [`names`] has, whatever its kind: a page is a `page_view`, a screen a
    /// `screen_view`, and what is no event elsewhere is called by its kind, so that a site can give it a name too.
    #[inline]
    pub fn canonical_name(&self) -> &str {
        match self.kind {
            EventKind::Track => &self.name,
            EventKind::Page => names::PAGE_VIEW,
            EventKind::Screen => names::SCREEN_VIEW,
            EventKind::Identify | EventKind::Group | EventKind::Alias => self.kind.as_str(),
        }
    }

    /// The identifier with this key, `email` for one, in the form that the manifest was granted.
    pub fn identifier(&self, key: &str) -> Option<&str> {
        self.identifiers.iter().find(|identifier| identifier.key == key).map(|identifier| identifier.value.as_str())
    }

    /// The click of this kind, `fbclid` for one.
    pub fn click(&self, kind: &str) -> Option<&ClickId> {
        self.clicks.iter().find(|click| click.kind == kind)
    }

    /// The last of these kinds of click that can have led to the event: one that is not empty, not older than `window_ms`
    /// before it, and not after it but for [`time::AHEAD_MAX_MS`], because its time is when the gateway saw it. Of two in
    /// the same millisecond, as in one address, the kind that is named first wins.
    pub fn last_click(&self, kinds: &[&str], window_ms: u64) -> Option<&ClickId> {
        let mut last: Option<&ClickId> = None;
        for kind in kinds {
            let Some(click) = self.click(kind).filter(|click| !click.value.is_empty()) else { continue };
            let is_after = click.seen_ms > self.at_ms.saturating_add(time::AHEAD_MAX_MS);
            if is_after || time::is_older(click.seen_ms, window_ms, self.at_ms) {
                continue;
            }
            if last.is_none_or(|last| click.seen_ms > last.seen_ms) {
                last = Some(click);
            }
        }
        last
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

    /// The same, where it is an address of the web: of an app's screen, or of a backend's making, it may be anything.
    #[inline]
    pub fn web_page_url(&self) -> Option<&str> {
        self.page_url().and_then(url::web)
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

    /// A skip for an event that the site gave no name of the platform's on purpose.
    pub fn switched_off(name: &str) -> Rejection {
        Rejection::Skip(["`", name, "` is switched off in the configuration"].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identifier, Page};

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

    #[test]
    fn every_kind_has_a_canonical_name() {
        let of = |kind| Event { kind, name: "own".into(), ..Event::example() }.canonical_name().to_owned();
        assert_eq!((of(EventKind::Track), of(EventKind::Page)), ("own".into(), "page_view".into()));
        assert_eq!((of(EventKind::Screen), of(EventKind::Alias)), ("screen_view".into(), "alias".into()));
    }

    #[test]
    fn the_last_click_wins_and_the_first_kind_wins_a_tie() {
        let at_ms = Event::example().at_ms;
        let event = |clicks: &[(&str, u64)]| {
            let click = |(kind, seen_ms): &(&str, u64)| ClickId {
                kind: (*kind).into(),
                value: kind.to_uppercase(),
                seen_ms: *seen_ms,
            };
            Event { clicks: clicks.iter().map(click).collect(), ..Event::example() }
        };
        let last = |clicks: &[(&str, u64)]| {
            let event = event(clicks);
            event.last_click(&["gclid", "gbraid", "wbraid"], 1_000).map(|click| click.kind.clone())
        };
        assert_eq!(last(&[("gclid", at_ms - 10), ("wbraid", at_ms - 5)]).as_deref(), Some("wbraid"));
        assert_eq!(last(&[("wbraid", at_ms - 5), ("gclid", at_ms - 5)]).as_deref(), Some("gclid"));
        assert_eq!(last(&[("fbclid", at_ms)]), None, "another kind");
        assert!(last(&[("gclid", at_ms + time::AHEAD_MAX_MS)]).is_some());
        assert_eq!(last(&[("gclid", at_ms + time::AHEAD_MAX_MS + 1)]), None, "after the event");
        assert!(last(&[("gclid", at_ms - 1_000)]).is_some());
        assert_eq!(last(&[("gclid", at_ms - 1_001)]), None, "before the window");
    }

    #[test]
    fn a_page_of_the_web_has_an_address_of_it() {
        let on = |url: &str| Event {
            page: Some(Page { url: Some(url.into()), title: None, referrer: None }),
            ..Event::example()
        };
        assert_eq!(on("https://shop.example/").web_page_url(), Some("https://shop.example/"));
        assert_eq!(on("app://home").web_page_url(), None);
    }
}
