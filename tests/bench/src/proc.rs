//! What the kernel says of a process: its processor time and its memory.

use anyhow::Context as _;

/// The kernel counts processor time in hundredths of a second, on every Linux that runs today.
const TICKS_PER_S: f64 = 100.0;

/// User and system time of a process so far, in seconds.
pub(crate) fn cpu_s(id: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in parentheses may hold spaces; what counts stands behind it.
    let (_, fields) = stat.rsplit_once(')').context("`stat` has a name in parentheses")?;
    let field = |index: usize| -> anyhow::Result<f64> {
        Ok(fields.split_whitespace().nth(index).context("`stat` is too short")?.parse()?)
    };
    Ok((field(11)? + field(12)?) / TICKS_PER_S)
}

/// Resident memory in MB: now (`VmRSS`), or at most so far (`VmHWM`).
pub(crate) fn memory_mb(id: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field in `status`")?;
    let kib: f64 = line.split_whitespace().nth(1).context("a number in kB")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
