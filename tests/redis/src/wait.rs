//! Waits for what a server will come to by itself. The one place of this crate that sleeps.
//!
//! A server tells nobody when it has loaded its data, elected a primary or closed a port: it can only be asked again.

use std::time::Duration;

/// How long a test waits for what must happen before it fails: long, for a machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until the answer is something, and gives that.
///
/// # Panics
/// When it does not come to that in [`PATIENCE`]; `what` says what was waited for: "until the replica is in sync".
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, ask).unwrap_or_else(|| panic!("waited {} s in vain until {what}", PATIENCE.as_secs()))
}

/// As [`until`], but gives nothing when the time is over.
#[expect(clippy::disallowed_methods, reason = "servers live in real time")]
pub(crate) fn within<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = std::time::Instant::now() + patience;
    loop {
        // Asked once more after the time is over: the machine may have been elsewhere all the while.
        let over = std::time::Instant::now() >= end;
        match ask() {
            Some(answer) => return Some(answer),
            None if over => return None,
            None => std::thread::sleep(PAUSE),
        }
    }
}
