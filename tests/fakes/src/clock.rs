//! What time the platforms think it is. The one place in this package that may ask the machine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A source of Unix time in milliseconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    pub fn new(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now_ms))
    }

    /// The machine's clock.
    pub fn system() -> Clock {
        Clock::new(|| {
            #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
            let now = std::time::SystemTime::now();
            now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
        })
    }

    /// A clock that stands still.
    pub fn at(now_ms: i64) -> Clock {
        Clock::new(move || now_ms)
    }

    /// A clock that the test moves: it reads whatever the returned number holds.
    pub fn manual(now_ms: i64) -> (Clock, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(now_ms));
        let read = hand.clone();
        (Clock::new(move || read.load(Ordering::SeqCst)), hand)
    }

    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
