//! The audit of a plugin: what can be known of it without executing anything, and what somebody should look at.
//!
//! Owns the report and its forms for machines and for people's files: JSON ([`Report`]), SARIF and one HTML page. Reads bytes;
//! compiles and runs nothing, but where somebody asks for an [`Exercise`].

mod exercise;
mod findings;
mod page;
mod rules;
mod sarif;

use serde::Serialize;
use tidegate_sandbox::{Digest, Inspection, inspect};

pub use exercise::Exercise;
pub use page::page;
pub use rules::{Level, RULES, Rule};
pub use sarif::sarif;

use crate::permissions::lock::{Approved, Lock};
use crate::permissions::signature::{self, Signed};
use crate::permissions::{Change, Permissions, compare};

/// The version of the JSON form; `docs/schemas/audit.json` describes it.
pub const FORMAT: &str = "tidegate-audit/1";

/// The audit of several plugins.
#[derive(Debug, Serialize)]
pub struct Report {
    pub format: &'static str,
    /// The gateway's version: what it knows of worlds and imports is in it.
    pub gateway: &'static str,
    pub errors: usize,
    pub warnings: usize,
    pub notes: usize,
    pub plugins: Vec<Audit>,
}

/// The audit of one.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// As it was named: a file, or a built-in plugin.
    pub source: String,
    /// Where a code-scanning page looks for it.
    pub artifact: String,
    /// SHA-256 of the bytes, of whatever they are.
    pub digest: Digest,
    /// In bytes.
    pub size: usize,
    /// Nothing, where it is no component with a sound manifest.
    pub inspection: Option<Inspection>,
    /// What would be approved.
    pub permissions: Option<Permissions>,
    /// Who signed the file; nothing where nobody did, or nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// What is different since a plugin of its name was approved, for each destination; nothing where no lock was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<Since>>,
    /// What was run of it, by the names of [`Exercise`]s; mostly nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<&'static str>,
    /// The most severe first.
    pub findings: Vec<Finding>,
}

/// What is different since an approval.
#[derive(Debug, Serialize)]
pub struct Since {
    pub destination: String,
    pub approved_by: String,
    pub approved_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Widenings first; none where exactly this was approved.
    pub changes: Vec<Change>,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The id of one of [`RULES`].
    pub rule: &'static str,
    pub level: Level,
    /// What it is about: a field, an endpoint, an import.
    pub subject: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Audit {
    /// Audits these bytes.
    pub fn of(source: &str, artifact: &str, wasm: &[u8]) -> Audit {
        let (inspection, mut findings) = match inspect(wasm) {
            Ok(inspection) => {
                let findings = findings::of(&inspection);
                (Some(inspection), findings)
            }
            Err(error) => (None, findings::unreadable(&error)),
        };
        findings.sort_by_key(|finding| finding.level);
        Audit {
            source: source.to_owned(),
            artifact: artifact.to_owned(),
            digest: Digest::of(wasm),
            size: wasm.len(),
            permissions: inspection.as_ref().map(Permissions::from),
            inspection,
            signed: None,
            approvals: None,
            ran: Vec::new(),
            findings,
        }
    }

    /// Audits the bytes of a file, where somebody asked for its signature. Of bytes whose signature is wrong nothing more
    /// is looked at.
    pub fn verified(
        (source, artifact): (&str, &str),
        wasm: &[u8],
        verified: Result<Option<Signed>, signature::Error>,
    ) -> Audit {
        match verified {
            Ok(signed) => {
                let mut audit = Audit::of(source, artifact, wasm);
                match &signed {
                    Some(signed) => audit.findings.extend(findings::retired(signed)),
                    None => audit.findings.push(findings::unsigned()),
                }
                audit.findings.sort_by_key(|finding| finding.level);
                let signer = signed.as_ref().map(|signed| signed.signer.clone());
                Audit { permissions: audit.permissions.map(|it| it.signed_by(signer)), signed, ..audit }
            }
            Err(error) => Audit {
                source: source.to_owned(),
                artifact: artifact.to_owned(),
                digest: Digest::of(wasm),
                size: wasm.len(),
                inspection: None,
                permissions: None,
                signed: None,
                approvals: None,
                ran: Vec::new(),
                findings: vec![findings::forged(&error)],
            },
        }
    }

    /// The same, held against what was approved.
    #[must_use]
    pub fn since(mut self, lock: &Lock) -> Audit {
        self.approvals = self.permissions.as_ref().map(|permissions| {
            let of_it = lock.destinations.iter().filter(|(_, it)| it.permissions.plugin == permissions.plugin);
            let since = |(destination, approved): (&String, &Approved)| Since {
                destination: destination.clone(),
                approved_by: approved.approved_by.clone(),
                approved_at: approved.approved_at.clone(),
                note: approved.note.clone(),
                changes: compare(&approved.permissions, permissions),
            };
            of_it.map(since).collect()
        });
        self
    }

    /// How many findings have this level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

impl Report {
    /// The report of these audits.
    pub fn new(plugins: Vec<Audit>) -> Report {
        let count = |level| plugins.iter().map(|audit| audit.count(level)).sum();
        Report {
            format: FORMAT,
            gateway: env!("CARGO_PKG_VERSION"),
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            notes: count(Level::Note),
            plugins,
        }
    }
}
