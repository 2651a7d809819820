//! What the log says of the lock when the gateway starts, once for each destination.

use std::sync::Arc;

use tracing::{info, warn};

use crate::config::{Config, LockMode};
use crate::destination::Destination;
use crate::permissions::gate::Approval;

pub(super) fn tell(config: &Config, destinations: &[Arc<Destination>]) {
    let file = config.plugins.lock_file.display();
    match config.plugins.lock {
        LockMode::Off => info!("plugins run without approval: `plugins.lock` is `off`"),
        LockMode::WhenThere if destinations.iter().any(|one| one.approval == Approval::NoLock) => {
            info!(
                "there is no `{file}`: any plugin of the configuration runs; `tidegate plugin approve --all` writes one"
            );
        }
        LockMode::WhenThere | LockMode::Enforce | LockMode::Report => {}
    }
    for destination in destinations {
        if let Approval::Unapproved { lines } = &destination.approval {
            let (name, new) = (&destination.name, lines.join("; "));
            warn!(
                destination = name,
                "the plugin of `{name}` runs though `{file}` does not cover it, for `plugins.lock` is `report`: {new}"
            );
        }
    }
}
