//! What a process does: several processes on one Redis may share the work.

use std::fmt;

/// One part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes events from clients.
    Collect,
    /// Sends them to the platforms.
    Deliver,
}

/// The roles of a process; both, unless it is told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    collect: Option<Role>,
    deliver: Option<Role>,
}

impl Roles {
    /// These roles.
    pub fn of(roles: &[Role]) -> Roles {
        let find = |wanted: Role| roles.iter().copied().find(|role| *role == wanted);
        Roles { collect: find(Role::Collect), deliver: find(Role::Deliver) }
    }

    /// Whether this is one of them.
    pub fn has(self, role: Role) -> bool {
        self.iter().any(|own| own == role)
    }

    /// Their names in configurations and answers.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Role::name).collect()
    }

    fn iter(self) -> impl Iterator<Item = Role> {
        self.collect.into_iter().chain(self.deliver)
    }
}

impl Default for Roles {
    fn default() -> Roles {
        Roles::of(&[Role::Collect, Role::Deliver])
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Collect => "collect",
            Role::Deliver => "deliver",
        }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}
