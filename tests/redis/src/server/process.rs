//! Signals to a server's process, and what `/proc` says of it and of what it forked.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

pub(super) fn signal(child: &Child, signal: Signal) {
    kill_process(pid(child.id()), signal).expect("the server's process can be signalled");
}

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Stops a process and kills those that it has forked; gives their ids. It forks no other while it stands still, and
/// cannot have waited for these, so that their ids are surely theirs.
pub(super) fn stop_with_forks(child: &Child) -> Vec<u32> {
    signal(child, Signal::STOP);
    until("every thread of the server stands still", || all_stopped(child.id()).then_some(()));
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let forks: Vec<u32> =
        lists.flat_map(|list| list.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect();
    for fork in &forks {
        kill_process(pid(*fork), Signal::KILL).expect("a process that was not waited for can be signalled");
    }
    forks
}

/// Whether a process is gone, or is only there for its parent to be waited for.
pub(super) fn has_ended(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// A signal that stops a process takes effect a moment after it was sent, in each thread by itself.
pub(super) fn all_stopped(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.filter_map(Result::ok).all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['T', 'Z', 'X']))
    })
}
