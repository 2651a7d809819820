//! The report: what was found, and the facts behind it. Serializes; rendering is the command's.

use std::net::SocketAddr;

use serde::Serialize;

use crate::certificate::Certificate;
use crate::dns;
use crate::finding::{Finding, Severity};
use crate::predict::{Life, Pair};
use crate::site::{Cookie, Mode};

/// The form of the report's JSON.
pub const VERSION: u32 = 1;

/// What the doctor says of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The form of this report; see [`VERSION`].
    pub version: u32,
    /// The worst of the findings.
    pub verdict: Severity,
    /// The page's address.
    pub page: String,
    /// The gateway's place.
    pub tracking: String,
    /// How the gateway is reached.
    pub mode: Mode,
    /// The name server that was asked, if not the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver: Option<SocketAddr>,
    /// What there is to say, the worst first.
    pub findings: Vec<Finding>,
    /// How long each cookie lives in each browser.
    pub lives: Vec<CookieLife>,
    /// The page's host in DNS, then the gateway's if it is another.
    pub dns: Vec<dns::Answer>,
    /// The addresses that Safari compares; empty where it compares none.
    pub pairs: Vec<Pair>,
    /// The gateway's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// How long it all took.
    pub took_ms: u64,
}

/// How long a cookie lives in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CookieLife {
    /// The cookie.
    pub cookie: Cookie,
    /// The browser's name.
    pub browser: &'static str,
    /// How long, and why.
    #[serde(flatten)]
    pub life: Life,
}

impl Report {
    /// How many findings have a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Puts the worst first; those of one severity stay in the order of the checks.
pub(crate) fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
