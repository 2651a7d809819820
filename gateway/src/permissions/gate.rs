//! Whether a destination's plugin may run, by the lock: purely, once the lock was read.

use serde::Serialize;
use tidegate_sandbox::Digest;

use super::lock::{self, Approved, Lock};
use super::{Change, Permissions};
use crate::config::{self, LockMode};

/// What the lock is good for.
#[derive(Debug)]
pub enum Gate {
    /// Nobody asks it.
    Off,
    /// There is none.
    NoLock,
    /// What it does not cover is told.
    Report(Lock),
    /// What it does not cover does not start.
    Enforce(Lock),
}

/// How a destination's plugin stands to the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Approval {
    /// Nobody asked.
    Off,
    /// There is no lock.
    NoLock,
    /// It is covered.
    Approved { by: String, at: String },
    /// It is not: these lines are new.
    Unapproved { lines: Vec<String> },
}

impl Gate {
    /// Reads the lock that the configuration asks for.
    ///
    /// # Errors
    /// When it is damaged, or has to be there and is not.
    pub fn open(plugins: &config::Plugins) -> Result<Gate, lock::Error> {
        let path = &plugins.lock_file;
        let missing = || lock::Error::Missing { path: path.clone() };
        Ok(match plugins.lock {
            LockMode::Off => Gate::Off,
            LockMode::Report => Gate::Report(Lock::read(path)?.unwrap_or_default()),
            LockMode::Enforce => Gate::Enforce(Lock::read(path)?.ok_or_else(missing)?),
            LockMode::WhenThere => Lock::read(path)?.map_or(Gate::NoLock, Gate::Enforce),
        })
    }

    /// Whether this code may be compiled and loaded for the destination.
    pub fn admits(&self, destination: &str, digest: &Digest) -> bool {
        match self {
            Gate::Enforce(_) => self.approved(destination) == Some(digest),
            Gate::Off | Gate::NoLock | Gate::Report(_) => true,
        }
    }

    /// The code that the lock holds for a destination.
    pub fn approved(&self, destination: &str) -> Option<&Digest> {
        match self {
            Gate::Enforce(lock) | Gate::Report(lock) => {
                lock.destinations.get(destination).map(|approved| &approved.permissions.digest)
            }
            Gate::Off | Gate::NoLock => None,
        }
    }

    /// How a plugin with these permissions stands.
    pub fn judge(&self, destination: &str, permissions: &Permissions) -> Approval {
        let lock = match self {
            Gate::Off => return Approval::Off,
            Gate::NoLock => return Approval::NoLock,
            Gate::Report(lock) | Gate::Enforce(lock) => lock,
        };
        match (lock.uncovered(destination, permissions), lock.destinations.get(destination)) {
            (Some(lines), Some(Approved { approved_by, approved_at, .. })) if lines.is_empty() => {
                Approval::Approved { by: approved_by.clone(), at: approved_at.clone() }
            }
            (Some(lines), _) => Approval::Unapproved { lines: lines.iter().map(line).collect() },
            (None, _) => {
                let never = format!("{} {} was never approved", permissions.plugin, permissions.version);
                Approval::Unapproved { lines: vec![never] }
            }
        }
    }

    /// Whether what is not approved must not run.
    pub fn is_enforced(&self) -> bool {
        matches!(self, Gate::Enforce(_))
    }
}

/// A change in one line.
fn line(change: &Change) -> String {
    let subject = if change.subject.is_empty() { String::new() } else { format!(" `{}`", change.subject) };
    let values = match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!(" ({old} → {new})"),
        (None, Some(new)) if *new != change.subject => format!(" ({new})"),
        _ => String::new(),
    };
    format!("{}{subject}: {}{values}", change.part, change.says)
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics"]
endpoints.events.url = "https://acme.example/events"
"#;

    fn permissions(manifest: &str, code: &[u8]) -> Permissions {
        Permissions::new(&Manifest::parse(manifest).unwrap(), &Digest::of(code))
    }

    fn lock(permissions: Permissions) -> Lock {
        let mut lock = Lock::default();
        let (approved_by, approved_at) = ("anna".to_owned(), "2026-11-20T20:00:00Z".to_owned());
        lock.destinations.insert("hook".to_owned(), Approved { approved_by, approved_at, note: None, permissions });
        lock
    }

    #[test]
    fn what_was_approved_is_admitted() {
        let plugin = permissions(MANIFEST, b"code");
        let gate = Gate::Enforce(lock(plugin.clone()));
        assert!(gate.admits("hook", &plugin.digest));
        assert!(matches!(gate.judge("hook", &plugin), Approval::Approved { by, .. } if by == "anna"));
    }

    #[test]
    fn other_code_is_not_though_it_may_do_no_more() {
        let gate = Gate::Enforce(lock(permissions(MANIFEST, b"code")));
        let other = permissions(MANIFEST, b"other code");
        assert!(!gate.admits("hook", &other.digest));
        let Approval::Unapproved { lines } = gate.judge("hook", &other) else { panic!() };
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("digest: it is other code ("), "{lines:?}");
    }

    #[test]
    fn a_lock_that_says_less_than_its_digest_covers_less() {
        let wide = MANIFEST.to_owned() + "[reads]\n\"user.email\" = { as = \"plain\", why = \"mail\" }\n";
        let mut narrow = permissions(MANIFEST, b"code");
        let wide = permissions(&wide, b"code");
        narrow.digest = wide.digest.clone();
        let gate = Gate::Enforce(lock(narrow));
        let lines = vec!["reads `user.email`: it sees this now: mail (plain)".to_owned()];
        assert_eq!(gate.judge("hook", &wide), Approval::Unapproved { lines });
    }

    #[test]
    fn another_destination_is_not_covered_by_the_same_plugins_approval() {
        let plugin = permissions(MANIFEST, b"code");
        let gate = Gate::Enforce(lock(plugin.clone()));
        assert!(!gate.admits("mail", &plugin.digest));
        let lines = vec!["acme 0.1.0 was never approved".to_owned()];
        assert_eq!(gate.judge("mail", &plugin), Approval::Unapproved { lines });
    }

    #[test]
    fn a_report_admits_all_and_tells_the_same() {
        let plugin = permissions(MANIFEST, b"code");
        let gate = Gate::Report(Lock::default());
        assert!(gate.admits("hook", &plugin.digest) && !gate.is_enforced());
        assert!(matches!(gate.judge("hook", &plugin), Approval::Unapproved { .. }));
    }
}
