//! A Redis without room: its memory is full, its snapshots fail, its disk is full.

use std::process::{Child, Command, Stdio};

use tidegate_fakes::Behaviour;
use tidegate_test_redis::{Server, until};
use tidegate_tests::{Fault, Process, Settings};
use tokio::time::Instant;

use crate::world::{Story, World, block, drained, ready, settings, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_whose_memory_is_full_takes_nothing_more_and_delivers_what_it_has() {
    let rounds = times(1, 4);
    let redis = Server::with(&["appendfsync always"]);
    // What has been delivered is kept for a minute, so that in time it makes room.
    let store = settings().store + "journal_minutes = 1\n";
    let mut world = World::with(&redis.url(), &Settings { store, ..settings() }).await;
    let (collector, worker) = world.pair().await;
    world.senders.more(50).await;
    for round in 0..rounds {
        world.platforms.webhook.always(Behaviour::status(503));
        world.senders.more(200).await;
        let used: u64 = redis.info("used_memory").unwrap().trim().parse().unwrap();
        redis.must(&["CONFIG", "SET", "maxmemory", &(used + 200_000).to_string()]);
        world.senders.until_refused(8).await;
        says(&collector, &["bytes of memory", "maxmemory"]).await;
        world.platforms.webhook.behave();
        drained(&worker.client).await;
        if round > 0 {
            // Nobody helps: what has been delivered takes less, and after a minute nothing.
            let full = Instant::now();
            world.recovered(full).await;
        }
        redis.must(&["CONFIG", "SET", "maxmemory", "0"]);
        let back = Instant::now();
        world.recovered(back).await;
        ready(&collector.client, 200).await;
    }
    let story = Story {
        name: "40-memory-full",
        fault: "Memory full",
        done: format!(
            "`maxmemory` reached under `noeviction`, {rounds} times; delivering went on; but for the first time, room came \
             from what was delivered and swept alone"
        ),
    };
    world.reckon(Some(&worker.client), story).await.accounts.all_delivered();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stops_writes_because_its_snapshot_failed_is_told_and_nothing_is_lost() {
    let rounds = times(1, 10);
    let redis = Server::with(&["appendfsync always", "enable-protected-configs local", "save 3600 1000000"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(100).await;
        let fault = Fault::begin();
        let nowhere = tempfile::tempdir().unwrap();
        redis.must(&["CONFIG", "SET", "dir", nowhere.path().to_str().unwrap()]);
        nowhere.close().unwrap();
        snapshot(&redis, "err");
        world.senders.until_refused(8).await;
        says(&collector, &["snapshot failed", "MISCONF"]).await;
        redis.must(&["CONFIG", "SET", "dir", redis.dir().to_str().unwrap()]);
        snapshot(&redis, "ok");
        let back = Instant::now();
        world.recovered(back).await;
        world.note(fault);
        ready(&collector.client, 200).await;
    }
    let story = Story {
        name: "41-misconf",
        fault: "Snapshot fails (MISCONF)",
        done: format!("the directory gone, `stop-writes-on-bgsave-error`, {rounds} times"),
    };
    world.settle(&worker.client, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_cannot_write_its_file_and_stops_writes_is_told() {
    let rounds = times(1, 10);
    let redis = Server::with(&["appendfsync everysec"]);
    let store = settings().store + "durability = \"any\"\n";
    let mut world = World::with(&redis.url(), &Settings { store, ..settings() }).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(100).await;
        let fault = Fault::begin();
        let full = FullDisk::under(&redis);
        world.senders.until_refused(8).await;
        says(&collector, &["append-only file", "MISCONF"]).await;
        drop(full);
        let back = Instant::now();
        world.recovered(back).await;
        world.note(fault);
        ready(&collector.client, 200).await;
    }
    let story = Story {
        name: "42-disk-full-everysec",
        fault: "Disk full (MISCONF)",
        done: format!("`appendfsync everysec`, every write to the append-only file ENOSPC, {rounds} times"),
    };
    world.settle(&worker.client, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_ends_because_its_disk_is_full_has_all_that_was_acknowledged() {
    let rounds = times(1, 10);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(100).await;
        let fault = Fault::begin();
        let full = FullDisk::under(&redis);
        block(|| until("Redis ends, as it does with `always`", || (!redis.is_running()).then_some(())));
        drop(full);
        world.senders.until_refused(4).await;
        ready(&collector.client, 503).await;
        block(|| redis.restart());
        let back = Instant::now();
        world.recovered(back).await;
        world.note(fault);
    }
    let story = Story {
        name: "43-disk-full-always",
        fault: "Disk full",
        done: format!("`appendfsync always`: Redis ends at the first ENOSPC; started again with room, {rounds} times"),
    };
    world.settle(&worker.client, story).await;
}

/// `/readyz` says why nothing is taken: what the server is found to lack, or what it answered.
async fn says(collector: &Process, reasons: &[&str]) {
    let said = ready(&collector.client, 503).await;
    let named = |error: &str| reasons.iter().any(|reason| error.contains(reason));
    assert!(said["error"].as_str().is_some_and(named), "{said:#}");
}

/// Asks for a snapshot until it has gone so.
fn snapshot(redis: &Server, wanted: &str) {
    block(|| {
        until("the snapshot goes as wanted", || {
            redis.cli(&["BGSAVE"]).ok();
            let status = redis.info("rdb_last_bgsave_status")?;
            let ended = redis.info("rdb_bgsave_in_progress")?.trim() == "0";
            (ended && status.trim() == wanted).then_some(())
        });
    });
}

/// Every write to a server's append-only file fails with ENOSPC, until it is dropped.
struct FullDisk(Child);

impl FullDisk {
    fn under(redis: &Server) -> FullDisk {
        let folder = redis.dir().join("appendonlydir");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:error=ENOSPC"]);
        for file in files.filter(|file| file.to_string_lossy().ends_with(".incr.aof")) {
            strace.arg("-P").arg(file);
        }
        strace.args(["-p", &redis.pid().to_string()]).stderr(Stdio::null());
        let child = strace.spawn().unwrap_or_else(|error| panic!("`strace` could not be started: {error}"));
        let traced = format!("TracerPid:\t{}", child.id());
        let status = format!("/proc/{}/status", redis.pid());
        block(|| {
            until("strace holds the server", || {
                // A server that has ended at once was held.
                let status = std::fs::read_to_string(&status).unwrap_or_else(|_| traced.clone());
                (status.contains(&traced) || !redis.is_running()).then_some(())
            });
        });
        FullDisk(child)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // Killed, it lets go of the server.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
