//! Work that has time, beside requests that have none: on one thread that gets what the others leave of a processor.

use tokio::sync::oneshot;

/// The lowest there is: a thread of it runs where no other wants to.
#[cfg(target_os = "linux")]
const NICEST: i32 = 19;

/// Why there is no thread.
#[derive(Debug, thiserror::Error)]
#[error("a thread could not be started")]
pub(super) struct NoThread(#[source] rayon::ThreadPoolBuildError);

/// Does some work aside; gives where its outcome comes out, if the work does not panic.
///
/// # Errors
/// When no thread can be started.
pub(super) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, NoThread> {
    // A pool of its own, because the compiler shares its work out within the pool that it is called in: in the process's
    // own there would be as many threads as processors, of the priority of all others.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "reload".into())
        .start_handler(|_| lower_priority())
        .panic_handler(|_| tracing::error!("a reload ended in a panic"));
    let (done, outcome) = oneshot::channel();
    // Whoever asked may have gone: the gateway is stopping then.
    pool.build().map_err(NoThread)?.spawn(move || drop(done.send(work())));
    Ok(outcome)
}

/// Lowers the priority of this thread alone: that is what Linux takes "this process" for.
#[cfg(target_os = "linux")]
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICEST) {
        tracing::warn!("a reload has the same priority as requests: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_aside_is_of_the_lowest_priority_and_leaves_the_others_theirs() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        assert_eq!(aside(priority).unwrap().await.unwrap(), 19);
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn work_that_panics_gives_nothing() {
        let work = || -> u8 { panic!("as it may happen") };
        assert!(aside(work).unwrap().await.is_err());
    }
}
