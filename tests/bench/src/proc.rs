//! What the kernel says of a process: its processor time and its memory; and of the machine: its load.

use anyhow::Context as _;

/// The kernel counts processor time in hundredths of a second, on every Linux that runs today.
const TICKS_PER_S: f64 = 100.0;
/// Where `stat` has user and system time, counted from behind the name: of the process, and of its children that have
/// ended.
const OWN: [usize; 2] = [11, 12];
const ENDED: [usize; 2] = [13, 14];

/// User and system time of a process so far, in seconds.
pub(crate) fn cpu_s(id: u32) -> anyhow::Result<f64> {
    times_s(&id.to_string(), OWN)
}

/// The same of this process.
pub(crate) fn own_cpu_s() -> anyhow::Result<f64> {
    times_s("self", OWN)
}

/// The same of all children of this process that have ended and were waited for.
pub(crate) fn ended_cpu_s() -> anyhow::Result<f64> {
    times_s("self", ENDED)
}

/// The same of a process and all its descendants, as far as they run: a server's workers.
pub(crate) fn family_cpu_s(id: u32) -> anyhow::Result<f64> {
    let mut sum = cpu_s(id)?;
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        for child in children.split_whitespace() {
            sum += family_cpu_s(child.parse()?)?;
        }
    }
    Ok(sum)
}

fn times_s(who: &str, fields: [usize; 2]) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{who}/stat"))?;
    // The name in parentheses may hold spaces; what counts stands behind it.
    let (_, rest) = stat.rsplit_once(')').context("`stat` has a name in parentheses")?;
    let mut sum = 0.0;
    for field in fields {
        let ticks: f64 = rest.split_whitespace().nth(field).context("`stat` is too short")?.parse()?;
        sum += ticks;
    }
    Ok(sum / TICKS_PER_S)
}

/// Resident memory in MB: now (`VmRSS`), or at most so far (`VmHWM`).
pub(crate) fn memory_mb(id: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field in `status`")?;
    let kib: f64 = line.split_whitespace().nth(1).context("a number in kB")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// How many processes ran or wanted to, over the last minute: what is measured here among them.
pub(crate) fn load_average() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().context("`loadavg` is empty")?.parse()?)
}
