//! Which of X's conversion events an event is: those that the configuration names, and no other, because X knows no names
//! but the ids that its Events Manager made up.

use tidegate_plugin_sdk::{Context, Event, Rejection, names};

use crate::config::Config;

/// The ids of the conversion events to report. At least one.
///
/// # Errors
/// A skip for what the configuration does not name, or switches off; invalid for a test that would count.
pub(crate) fn of<'a>(event: &Event, config: &'a Config, ctx: &Context) -> Result<Vec<&'a str>, Rejection> {
    let name = event.canonical_name();
    let ids = names::lookup(&[], &config.events, name);
    match (&ids, &config.test_event_id) {
        (Some(ids), _) if ids.is_empty() => Err(Rejection::switched_off(name)),
        (_, Some(id)) if ctx.test_mode => Ok(vec![id]),
        (_, None) if ctx.test_mode => Err(Rejection::invalid(
            "a test event would count as a real conversion: set `test_event_id` to a conversion event made for tests",
        )),
        _ => ids.ok_or_else(|| {
            Rejection::skip(["no conversion event of X's is configured for `", name, "`: see `events`"].concat())
        }),
    }
}
