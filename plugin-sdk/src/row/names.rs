//! Which names an event is recorded under: its own, unless the configuration says others.

use crate::names::{self, CustomEvents, Overrides};
use crate::{Event, Rejection};

/// The event's names for rows, at least one: an override's, or its own canonical name. A warehouse has no names of its
/// own, so each stands for itself, and what is no event elsewhere (`identify`, `group`, `alias`) is a row too.
///
/// # Errors
/// A skip for what the configuration switches off.
pub fn names<'a>(event: &'a Event, overrides: &'a Overrides, custom: CustomEvents) -> Result<Vec<&'a str>, Rejection> {
    let own = event.canonical_name();
    match overrides.get(own).map(|names| names.iter().collect::<Vec<_>>()) {
        Some(names) if names.is_empty() => Err(Rejection::skip(["`", own, "` is switched off in `events`"].concat())),
        Some(names) => Ok(names),
        None if custom == CustomEvents::Send || is_canonical(own) => Ok(vec![own]),
        None => Err(Rejection::skip(["`", own, "` is no canonical event, and `custom_events` is `drop`"].concat())),
    }
}

fn is_canonical(name: &str) -> bool {
    names::CANONICAL.contains(&name) || KINDS.contains(&name)
}

/// What the other kinds of events are called.
const KINDS: [&str; 4] = [names::SCREEN_VIEW, "identify", "group", "alias"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    fn event(kind: EventKind, name: &str) -> Event {
        Event { kind, name: name.into(), ..Event::example() }
    }

    #[test]
    fn every_event_is_recorded_under_its_own_name() {
        let none = Overrides::new();
        let of = |event: &Event| super::names(event, &none, CustomEvents::Drop).map(|names| names.join(","));
        assert_eq!(of(&event(EventKind::Track, "purchase")).as_deref(), Ok("purchase"));
        assert_eq!(of(&event(EventKind::Page, "Home")).as_deref(), Ok("page_view"));
        assert_eq!(of(&event(EventKind::Identify, "")).as_deref(), Ok("identify"));
        assert!(matches!(of(&event(EventKind::Track, "my_event")), Err(Rejection::Skip(_))));
    }

    #[test]
    fn the_configuration_renames_repeats_and_switches_off() {
        let overrides: Overrides =
            serde_json::from_str(r#"{ "purchase": ["sale", "conversion"], "page_view": "" }"#).unwrap();
        let purchase = event(EventKind::Track, "purchase");
        assert_eq!(super::names(&purchase, &overrides, CustomEvents::Send), Ok(vec!["sale", "conversion"]));
        let page = event(EventKind::Page, "");
        assert!(matches!(super::names(&page, &overrides, CustomEvents::Send), Err(Rejection::Skip(_))));
        let own = event(EventKind::Track, "my_event");
        assert_eq!(super::names(&own, &overrides, CustomEvents::Send), Ok(vec!["my_event"]));
    }
}
