//! Where plugins run: on the thread that needs the answer, or, those that take long, on threads that nobody else waits for.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tidegate_sandbox::Plugin;
use tokio::sync::Semaphore;

use super::Destination;

/// The most slow calls at a time, as the sandbox has no more room for heavy plugins.
const CALLS_MAX: usize = 16;

/// Room for slow calls: one for each processor. More at once would not be done sooner, and who waits holds no thread.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Room {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Room(Arc::new(Semaphore::new(processors.min(CALLS_MAX))))
    }
}

impl Destination {
    /// Calls its plugin where that holds up nobody.
    pub async fn run<T: Send + 'static>(&self, call: impl FnOnce(&Plugin) -> T + Send + 'static) -> T {
        if !self.plugin.is_slow() {
            return call(&self.plugin);
        }
        // It is never closed; were it, the call would still have to be made.
        let place = Arc::clone(&self.room.0).acquire_owned().await.ok();
        let plugin = self.plugin.clone();
        let task = tokio::task::spawn_blocking(move || {
            let answer = call(&plugin);
            drop(place);
            answer
        });
        match task.await {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}
