//! Decides what an acknowledgement means with one server as it is set up. Pure.

use super::super::Wanted;
use super::super::link::Confirm;
use super::vitals::{Disk, Vitals};
use crate::Level;

/// The oldest Redis whose scripts and commands are enough, and the first that confirms writes to its own disk.
const VERSION_MIN: (u32, u32) = (7, 0);
const VERSION_WITH_WAITAOF: (u32, u32) = (7, 2);

/// What one server gives.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) level: Level,
    /// Among equal levels, the lower is the weaker.
    pub(super) rank: u8,
    pub(super) confirm: Confirm,
    pub(super) meaning: String,
    pub(super) warnings: Vec<String>,
}

/// Why a server cannot be used, and what would help.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) why: String,
    pub(super) hint: String,
}

pub(super) fn judge(vitals: &Vitals, wanted: Wanted) -> Result<Verdict, Unfit> {
    if vitals.version() < VERSION_MIN {
        return unfit(format!("runs {}, which is too old", vitals.server()), "use Redis 7.0, Valkey 7.2 or later");
    }
    if !vitals.is_primary() {
        return unfit("is a replica, and takes no writes", "give the address of the primary, or that of Sentinel");
    }
    let mut warnings = Vec::new();
    if let Some(policy) = vitals.evicts() {
        if wanted.level > Level::Any {
            return unfit(
                format!("deletes data when its memory is full: its `maxmemory-policy` is `{policy}`"),
                "set `maxmemory-policy noeviction` on the server, or `store.durability = \"any\"`",
            );
        }
        let node = &vitals.node;
        warnings.push(format!(
            "`{node}` deletes data when its memory is full: set its `maxmemory-policy` to `noeviction` instead of `{policy}`"
        ));
    }
    let disk = vitals.disk(wanted.assumed);
    let mut verdict = match wanted.level {
        Level::Fsync => fsync(vitals, &disk)?,
        Level::Replicated => replicated(vitals, &disk)?,
        Level::Any => any(&disk),
    };
    if vitals.replicas_online() > 0 && verdict.confirm != Confirm::Replicas {
        verdict.meaning.push_str("; a failover loses what the replica has not received");
    }
    if vitals.evicts().is_some() {
        verdict.level = Level::Any;
        verdict.meaning.push_str("; the server deletes data when its memory is full");
    }
    verdict.warnings = warnings;
    Ok(verdict)
}

fn fsync(vitals: &Vitals, disk: &Disk) -> Result<Verdict, Unfit> {
    let server = vitals.server();
    match disk {
        Disk::Always => Ok(any(disk)),
        Disk::EverySecond if vitals.version() >= VERSION_WITH_WAITAOF => Ok(Verdict {
            level: Level::Fsync,
            rank: rank(disk),
            confirm: Confirm::Disk,
            meaning:
                "an acknowledged event is on the server's disk (`appendfsync everysec`, and each commit waits up to \
                      a second for the disk with WAITAOF)"
                    .to_owned(),
            warnings: Vec::new(),
        }),
        Disk::EverySecond => unfit(
            format!("writes to its disk each second only, and {server} cannot be waited for"),
            "set `appendfsync always` on the server, use Redis 7.2 or later, or set `store.durability = \"any\"`",
        ),
        Disk::AlwaysButInRewrites | Disk::EverySecondButInRewrites => unfit(
            "does not sync its disk while it rewrites its append-only file: `no-appendfsync-on-rewrite` is `yes`",
            "set `no-appendfsync-on-rewrite no` on the server, or `store.durability = \"any\"`",
        ),
        Disk::Seldom => unfit(
            "leaves it to the operating system when it writes to the disk: its `appendfsync` is `no`",
            "set `appendfsync always` on the server, or `store.durability = \"any\"`",
        ),
        Disk::Snapshots(_) | Disk::Nothing => unfit(
            "does not write each change to its disk: its `appendonly` is `no`",
            "set `appendonly yes` and `appendfsync always` on the server, or `store.durability = \"any\"`",
        ),
        Disk::AssumedSeldom => unfit(
            "does not write each change to its disk, as `store.durability_assumed` says",
            "use a server that does, or set `store.durability = \"any\"`",
        ),
        Disk::Unknown(why) => unfit(
            format!("does not tell when it writes to its disk ({why})"),
            "let its user run CONFIG GET, or assert it with `store.durability_assumed = \"always\"` or `\"everysec\"`",
        ),
    }
}

fn replicated(vitals: &Vitals, disk: &Disk) -> Result<Verdict, Unfit> {
    if vitals.replicas_online() == 0 {
        let node = &vitals.node;
        return unfit(
            format!("has no replica of `{node}` that is online"),
            "start a replica, or set `store.durability` to `\"fsync\"` or `\"any\"`",
        );
    }
    let both = *disk == Disk::Always;
    let meaning = if both {
        "an acknowledged event is on the server's disk (`appendfsync always`) and in the memory of a replica (WAIT)"
            .to_owned()
    } else {
        format!(
            "an acknowledged event is in the memory of the server and of a replica (WAIT): it survives the loss of \
             either; {} when both fail at once",
            at_risk(disk)
        )
    };
    let level = if both { Level::Fsync } else { Level::Replicated };
    Ok(Verdict { level, rank: rank(disk), confirm: Confirm::Replicas, meaning, warnings: Vec::new() })
}

/// Whatever the server gives without waiting.
fn any(disk: &Disk) -> Verdict {
    let (level, meaning) = match disk {
        Disk::Always => {
            (Level::Fsync, "an acknowledged event is on the server's disk (`appendfsync always`)".to_owned())
        }
        Disk::Unknown(why) => (
            Level::Any,
            format!(
                "an acknowledged event is in the server's memory; what is at risk when the server fails is not known, \
                 for it does not tell its settings ({why}): let its user run CONFIG GET, or assert them with \
                 `store.durability_assumed`"
            ),
        ),
        other => {
            let risk = at_risk(other);
            (Level::Any, format!("an acknowledged event is in the server's memory; {risk} when the server fails"))
        }
    };
    Verdict { level, rank: rank(disk), confirm: Confirm::Nothing, meaning, warnings: Vec::new() }
}

fn at_risk(disk: &Disk) -> String {
    match disk {
        Disk::Always => "nothing is at risk (`appendfsync always`)".to_owned(),
        Disk::AlwaysButInRewrites => "what came during a rewrite of the append-only file is at risk \
                                      (`appendfsync always`, but `no-appendfsync-on-rewrite yes`)"
            .to_owned(),
        Disk::EverySecond => "up to 2 seconds are at risk (`appendfsync everysec`)".to_owned(),
        Disk::EverySecondButInRewrites => "up to 2 seconds, and more during a rewrite of the append-only file, are at \
                                           risk (`appendfsync everysec`, `no-appendfsync-on-rewrite yes`)"
            .to_owned(),
        Disk::Seldom => {
            "what the operating system has not written yet, about 30 seconds, is at risk (`appendfsync no`)".to_owned()
        }
        Disk::Snapshots(save) => {
            format!("everything since the last snapshot is at risk (`appendonly no`, `save {save}`)")
        }
        Disk::Nothing => "everything is lost (`appendonly no`, and no snapshots)".to_owned(),
        Disk::AssumedSeldom => {
            "everything since the last snapshot, if there is one, is at risk (`store.durability_assumed`)".to_owned()
        }
        Disk::Unknown(_) => "an unknown part is at risk, for the server does not tell its settings,".to_owned(),
    }
}

fn rank(disk: &Disk) -> u8 {
    match disk {
        Disk::Nothing => 0,
        Disk::Unknown(_) => 1,
        Disk::AssumedSeldom => 2,
        Disk::Snapshots(_) => 3,
        Disk::Seldom => 4,
        Disk::EverySecondButInRewrites => 5,
        Disk::EverySecond => 6,
        Disk::AlwaysButInRewrites => 7,
        Disk::Always => 8,
    }
}

fn unfit<T>(why: impl Into<String>, hint: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit { why: why.into(), hint: hint.into() })
}
