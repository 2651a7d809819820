//! The one click that a conversion is attributed to: a `gclid`, a `gbraid` or a `wbraid`. The last one wins, as in Google's
//! own attribution of a click; Google Ads refuses several of them.

use tidegate_plugin_sdk::Event;

use crate::moment;

/// A click on an ad, by the parameter that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Click<'a> {
    Gclid(&'a str),
    Gbraid(&'a str),
    Wbraid(&'a str),
}

/// The last click before the event, unless it is too old for any conversion action.
pub(crate) fn last(event: &Event) -> Option<Click<'_>> {
    let mut last: Option<(u64, Click<'_>)> = None;
    // In the order in which they are preferred when two were seen in the same millisecond, as in one address.
    for kind in ["gclid", "gbraid", "wbraid"] {
        let Some(click) = event.click(kind).filter(|click| !click.value.is_empty()) else { continue };
        // "The imported event has a `conversion_date_time` that precedes the click": that click led to something else.
        // The click's time is when the gateway saw it, hence the tolerance.
        let precedes = click.seen_ms > event.at_ms.saturating_add(moment::AHEAD_MAX_MS);
        if precedes || moment::is_older(click.seen_ms, event.at_ms) {
            continue;
        }
        if last.is_none_or(|(seen_ms, _)| click.seen_ms > seen_ms) {
            let id = click.value.as_str();
            last = Some((
                click.seen_ms,
                match kind {
                    "gclid" => Click::Gclid(id),
                    "gbraid" => Click::Gbraid(id),
                    _ => Click::Wbraid(id),
                },
            ));
        }
    }
    last.map(|(_, click)| click)
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::ClickId;

    use super::*;

    fn event(clicks: &[(&str, u64)]) -> Event {
        let click = |(kind, seen_ms): &(&str, u64)| ClickId {
            kind: (*kind).into(),
            value: kind.to_uppercase(),
            seen_ms: *seen_ms,
        };
        Event { clicks: clicks.iter().map(click).collect(), ..Event::example() }
    }

    #[test]
    fn the_last_click_wins_and_a_gclid_wins_a_tie() {
        let at_ms = Event::example().at_ms;
        let seen = |clicks: &[(&str, u64)]| format!("{:?}", last(&event(clicks)));
        assert_eq!(seen(&[("gclid", at_ms - 10), ("wbraid", at_ms - 5)]), r#"Some(Wbraid("WBRAID"))"#);
        assert_eq!(seen(&[("wbraid", at_ms - 5), ("gclid", at_ms - 5)]), r#"Some(Gclid("GCLID"))"#);
        assert_eq!(seen(&[("gbraid", at_ms - 5)]), r#"Some(Gbraid("GBRAID"))"#);
        assert_eq!(seen(&[]), "None");
    }

    #[test]
    fn a_click_after_the_event_or_past_every_window_is_none() {
        let at_ms = Event::example().at_ms;
        assert_eq!(last(&event(&[("gclid", at_ms + moment::AHEAD_MAX_MS + 1)])), None);
        assert!(last(&event(&[("gclid", at_ms + moment::AHEAD_MAX_MS)])).is_some());
        assert_eq!(last(&event(&[("gclid", at_ms - moment::WINDOW_MS - 1)])), None);
        assert!(last(&event(&[("gclid", at_ms - moment::WINDOW_MS)])).is_some());
    }
}
