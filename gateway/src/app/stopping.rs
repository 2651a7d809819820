//! Stops a gateway, in two steps, and ends in time whatever the platforms and the store do.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, Gateway};
use crate::causes::chain;

/// What a stop has beyond `shutdown_ms`, in two steps: to give back what is under way, and to close the store.
const STEP: Duration = Duration::from_millis(900);

impl Gateway {
    /// Stops: takes nothing new, finishes what is under way within the configured time, gives back what was leased,
    /// closes the store. Ends in time whatever the platforms and the store do.
    ///
    /// # Errors
    /// When the store had failed.
    pub async fn stop(self) -> Result<(), Error> {
        self.ending.stop.cancel();
        self.ending.tracker.close();
        let ended = || self.ending.tracker.wait();
        if tokio::time::timeout(Duration::from_millis(self.shutdown_ms), ended()).await.is_err() {
            tracing::info!("what is still under way is given back: it is sent again by the next gateway");
            self.ending.give_up.cancel();
            if tokio::time::timeout(STEP, ended()).await.is_err() {
                tracing::warn!("some tasks did not end in time; what they had leased is sent again later");
            }
        }
        let (queue, ledger) = (Arc::clone(&self.queue), Arc::clone(&self.ledger));
        // In a task of its own: a store that hangs must not keep this one from going on.
        let closing = self.ending.tracker.spawn(async move {
            if let Err(error) = ledger.close().await {
                tracing::warn!("what was sent last is named in the ledger, and not counted: {}", chain(&error));
            }
            let health = queue.health().await;
            (health, queue.close().await)
        });
        let health = match tokio::time::timeout(STEP, closing).await {
            Ok(Ok((health, closed))) => {
                if let Err(error) = closed {
                    tracing::error!("the store did not close cleanly: {}", chain(&error));
                }
                health
            }
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {
                tracing::error!("the store did not close in time; what was acknowledged is in it all the same");
                Ok(())
            }
        };
        tracing::info!("stopped");
        match health {
            Err(error @ tidegate_queue::Error::Fatal { .. }) => Err(Error::StoreFailed(chain(&error))),
            _ => Ok(()),
        }
    }
}
