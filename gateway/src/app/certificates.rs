//! The certificates of a configuration: opened at the start, and tried before a reload takes them over.

use std::sync::Arc;

use tidegate_tls::{Seams, Tls};

use super::{Role, Roles};
use crate::causes::chain;
use crate::config::{Config, Mistake, Mistakes};

/// Reads the files and the cache; nothing is ordered yet. None where no listener speaks TLS: who does not collect has none,
/// and needs neither the keys nor the cache.
pub(super) fn open(config: &Config, roles: Roles) -> Result<Option<Arc<Tls>>, Mistakes> {
    let Some(tls) = config.tls.as_ref().filter(|_| roles.has(Role::Collect)) else { return Ok(None) };
    Tls::open(tls.options.clone(), Seams::default()).map(Some).map_err(|error| mistakes(&error))
}

fn mistakes(error: &tidegate_tls::Error) -> Mistakes {
    let one = |mistake: &tidegate_tls::Mistake| {
        Mistake::error(None, format!("`[tls]`: {}", chain(mistake))).hint(mistake.hint())
    };
    Mistakes::new(error.mistakes.iter().map(one).collect())
}
