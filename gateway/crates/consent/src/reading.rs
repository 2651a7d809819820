//! What one signal says, in the terms that all signals share: purposes.

use tidegate_event::{Level, Purpose, Purposes, Signal};

/// What one signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) granted: Purposes,
    /// Refused in so many words. What is neither granted nor refused was not asked.
    pub(crate) denied: Purposes,
    pub(crate) signal: Signal,
}

impl Reading {
    /// Grants these purposes and refuses the others.
    pub(crate) fn of(granted: Purposes, signal: Signal) -> Reading {
        Reading { granted, denied: granted.complement(), signal }
    }

    /// Grants what a level does and refuses nothing: what it does not grant was never asked.
    pub(crate) fn default(level: Level, signal: Signal) -> Reading {
        Reading { granted: purposes_of(level), denied: Purposes::NONE, signal }
    }

    /// Of a signal that is there and cannot be read: nothing is granted.
    pub(crate) fn unreadable(signal: Signal) -> Reading {
        Reading::of(Purposes::NONE, signal)
    }
}

/// The purposes of advertising.
pub(crate) fn advertising() -> Purposes {
    Purposes::NONE.with(Purpose::Analytics).complement()
}

/// The purposes that a level grants.
pub(crate) fn purposes_of(level: Level) -> Purposes {
    match level {
        Level::None => Purposes::NONE,
        Level::Analytics => Purposes::NONE.with(Purpose::Analytics),
        Level::Marketing => Purposes::ALL,
    }
}

/// The level that a set of purposes reaches: marketing needs the advertising storage.
pub(crate) fn level_of(granted: Purposes) -> Level {
    if granted.contains(Purpose::AdStorage) {
        Level::Marketing
    } else if granted.contains(Purpose::Analytics) {
        Level::Analytics
    } else {
        Level::None
    }
}

/// The purposes that two answers grant, one about analytics and one about marketing, either of which may be missing.
/// Marketing contains analytics, unless that was refused beside it.
pub(crate) fn purposes_of_answers(analytics: Option<bool>, marketing: Option<bool>) -> Purposes {
    let measured = Purposes::NONE.with(Purpose::Analytics);
    match (analytics, marketing) {
        (Some(false), Some(true)) => advertising(),
        (_, Some(true)) => Purposes::ALL,
        (Some(true), _) => measured,
        _ => Purposes::NONE,
    }
}
