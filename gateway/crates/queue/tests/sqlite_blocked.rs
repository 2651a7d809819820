//! A file that somebody else keeps locked, or that may not be written: said clearly, and over when that is over.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use contract::{due, roomy};
use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::*;

/// Set for the process that is to open the file with the rights of somebody who has none.
const FILE: &str = "QUEUE_BLOCKED_FILE";
/// By custom nobody's; only root can take it.
const NOBODY: u32 = 65534;

fn open(path: &Path, mode: Mode) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(SqliteQueue::open(path, Options { mode, limits: roomy() })?))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_holds_the_lock_it_is_unavailable_and_then_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    let queue = open(&path, Mode::Serve).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = queue.append(due("a", 1, 10)).await.unwrap_err();
    assert!(matches!(&refused, Error::Unavailable { .. }), "{refused:?}");
    let text = chain(&refused);
    assert!(text.contains("another process keeps `") && text.contains("tidegate.db` locked"), "{text}");
    assert!(matches!(queue.health().await, Err(Error::Unavailable { .. })));
    assert!(queue.find("a").await.unwrap().is_empty(), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    let healthy = async {
        while queue.health().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), healthy).await.expect("it goes on by itself");
    assert_eq!(queue.append(due("a", 1, 10)).await.unwrap(), Appended::Stored);
}

#[test]
fn a_file_that_is_locked_at_the_start_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    drop(open(&path, Mode::Serve).unwrap());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = exclusive; BEGIN IMMEDIATE").unwrap();
    let Err(refusal) = open(&path, Mode::Serve) else { panic!("opened") };
    let text = format!("{refusal}\nhint: {}", refusal.hint());
    assert!(text.contains("tidegate.db` is locked by another process\nhint: wait for what"), "{text}");
    drop(other);
    open(&path, Mode::Serve).unwrap();
}

/// Not a test by itself: without a file it does nothing, with one it says how opening it went.
#[test]
fn the_process_without_rights() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    for mode in [Mode::Serve, Mode::Inspect] {
        match open(&path, mode) {
            Ok(_) => println!("\n{mode:?}: opened"),
            Err(error) => println!("\n{mode:?}: {} (hint: {})", chain(&error), error.hint()),
        }
    }
}

/// Makes a queue whose file and directory have these rights, and has it opened by somebody without any others; gives
/// what was said.
fn opened_with(file: u32, directory: u32) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("data");
    std::fs::create_dir(&place).unwrap();
    let path = place.join("tidegate.db");
    drop(open(&path, Mode::Serve).unwrap());
    // Who runs this as root has all rights, and gives them up by being nobody; for others the owner's rights count.
    let program = home.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for (path, mode) in [(home.path(), 0o755), (&program, 0o755), (&path, file), (&place, directory)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = Command::new(&program);
    command.args(["--exact", "the_process_without_rights", "--nocapture"]).env(FILE, &path).current_dir("/");
    if is_root() {
        for path in [&path, &place.join("tidegate.db.lock")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        std::os::unix::fs::chown(&place, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    // So that the directory can be removed again.
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let told: Vec<_> = told.lines().filter(|line| line.starts_with("Serve:") || line.starts_with("Inspect:")).collect();
    assert_eq!(told.len(), 2, "{output:?}");
    told.into_iter().map(str::to_owned).collect()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn with_all_rights_it_is_opened() {
    assert_eq!(opened_with(0o600, 0o700), ["Serve: opened", "Inspect: opened"]);
}

#[test]
fn a_file_that_may_not_be_written_is_named() {
    for told in opened_with(0o400, 0o700) {
        assert!(told.contains("tidegate.db` cannot be written to (hint: make the file and its directory"), "{told}");
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    for told in opened_with(0o600, 0o500) {
        assert!(told.contains("tidegate.db`") && told.contains("writable"), "{told}");
        assert!(!told.contains("opened"), "{told}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    for told in opened_with(0o000, 0o700) {
        assert!(told.contains("tidegate.db`") && told.contains("writable"), "{told}");
    }
}
