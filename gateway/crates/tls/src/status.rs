//! What is told about each certificate: for the dashboard and the doctor.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A host, or a wildcard of a file, and its certificate. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `t.shop.example` or `*.shop.example`.
    pub host: String,
    pub source: Source,
    /// `None` while there is no certificate yet.
    pub certificate: Option<Certificate>,
    /// The last thing that went wrong since the certificate was last renewed.
    pub last_error: Option<Trouble>,
    /// When the certificate is ordered (again), at the earliest. `None` for files.
    pub next_attempt_ms: Option<u64>,
    /// What works now and soon may not, in sentences.
    pub warnings: Vec<String>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Source {
    Files { cert: PathBuf, key: PathBuf },
    Acme { directory: String },
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    pub not_before_ms: u64,
    pub not_after_ms: u64,
    /// As in the certificate: `C=US, O=Let's Encrypt, CN=R12`.
    pub issuer: String,
}

/// What went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub at_ms: u64,
    /// With its causes and how to mend it, in one line.
    pub message: String,
}
