//! The engine's clock: a thread that advances the epoch every millisecond, so that a running plugin can be stopped.
//!
//! Sleeps for good while no plugin has been called for a while, so that an idle gateway wakes no processor. Does not
//! decide when a plugin has run too long; `limits` does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How long one tick is.
const TICK: Duration = Duration::from_millis(1);
/// After how many ticks without a call the ticker goes to sleep.
const TICKS_IDLE_MAX: u32 = 1_000;

/// The thread; it stops when this is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Engine,
    ticks_idle_max: u32,
    /// Calls begun, and calls ended. They are counted apart so that the ticker sees calls that began and ended between
    /// two of its ticks: a busy gateway must not put it to sleep and wake it again all the time.
    begun: AtomicU64,
    ended: AtomicU64,
    asleep: AtomicBool,
    stop: AtomicBool,
    /// How many ticks there were; for tests.
    #[cfg(test)]
    ticks: AtomicU64,
}

/// A call under way: the ticker stays awake while one exists.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: Engine) -> io::Result<Ticker> {
        Ticker::start_with(engine, TICKS_IDLE_MAX)
    }

    fn start_with(engine: Engine, ticks_idle_max: u32) -> io::Result<Ticker> {
        let shared = Arc::new(Shared {
            engine,
            ticks_idle_max,
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            #[cfg(test)]
            ticks: AtomicU64::new(0),
        });
        let inner = Arc::clone(&shared);
        let thread = thread::Builder::new().name("sandbox-ticker".into()).spawn(move || inner.run())?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Says that a plugin is about to run, and wakes the ticker if need be.
    pub(crate) fn run(&self) -> Running<'_> {
        // Sequentially consistent on both sides: either the ticker sees this call before it sleeps, or this sees that
        // it sleeps. A ticker that slept through a call would let the plugin run for ever.
        self.shared.begun.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.wake();
        }
        Running(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic; were it to, there would be nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, SeqCst);
    }
}

impl Shared {
    fn run(&self) {
        let mut seen = 0;
        let mut idle = 0;
        while !self.stop.load(SeqCst) {
            thread::park_timeout(TICK);
            self.engine.increment_epoch();
            #[cfg(test)]
            self.ticks.fetch_add(1, SeqCst);
            let ended = self.ended.load(SeqCst);
            let begun = self.begun.load(SeqCst);
            idle = if begun == seen && ended == begun { idle + 1 } else { 0 };
            seen = begun;
            if idle >= self.ticks_idle_max {
                self.sleep(begun);
                idle = 0;
            }
        }
    }

    /// Waits until there are more calls than `begun`.
    fn sleep(&self, begun: u64) {
        self.asleep.store(true, SeqCst);
        while self.begun.load(SeqCst) == begun && !self.stop.load(SeqCst) {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until(ticker: &Ticker, asleep: bool) {
        while ticker.shared.asleep.load(SeqCst) != asleep {
            thread::yield_now();
        }
    }

    #[test]
    fn it_sleeps_while_nothing_runs_and_wakes_for_a_call() {
        let ticker = Ticker::start_with(Engine::default(), 2).unwrap();
        for _ in 0..20 {
            wait_until(&ticker, true);
            let running = ticker.run();
            wait_until(&ticker, false);
            drop(running);
        }
    }

    #[test]
    fn it_stays_awake_while_a_call_runs() {
        let ticker = Ticker::start_with(Engine::default(), 1).unwrap();
        wait_until(&ticker, true);
        let _running = ticker.run();
        wait_until(&ticker, false);
        let deadline = ticker.shared.ticks.load(SeqCst) + 20;
        while ticker.shared.ticks.load(SeqCst) < deadline {
            assert!(!ticker.shared.asleep.load(SeqCst));
            thread::yield_now();
        }
    }

    #[test]
    fn it_stops_when_it_is_dropped_asleep_or_awake() {
        let asleep = Ticker::start_with(Engine::default(), 1).unwrap();
        wait_until(&asleep, true);
        drop(asleep);
        drop(Ticker::start_with(Engine::default(), u32::MAX).unwrap());
    }
}
