//! Keeps this process's switches as the store has them: at once where the store tells, within a second in any case.

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::Queue;
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::switch::Switches;

/// How often it is looked at, also when nobody told: a switch takes effect within a second.
const LOOK_EVERY: Duration = Duration::from_millis(900);

/// Obeys until the gateway stops.
pub(super) async fn obey(switches: Switches, queue: Arc<dyn Queue>, stop: CancellationToken) {
    let news = queue.settings_news();
    let mut is_lost = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = news.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let learned = tokio::select! {
            () = stop.cancelled() => return,
            learned = switches.learn(queue.as_ref()) => learned,
        };
        match learned {
            Ok(()) => is_lost = false,
            Err(error) if !is_lost => {
                is_lost = true;
                tracing::warn!(
                    "could not look at the switches of destinations, which stay as they are: {}",
                    chain(&error)
                );
            }
            Err(_) => {}
        }
    }
}
