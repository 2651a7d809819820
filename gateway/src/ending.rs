//! How the gateway's tasks are told to end, in two steps.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every task of a gateway shares.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Cancelled when the gateway stops: nothing new is begun.
    pub stop: CancellationToken,
    /// Cancelled when it has waited long enough: what is under way is given up, and given back.
    pub give_up: CancellationToken,
    /// Owns the tasks.
    pub tracker: TaskTracker,
}
