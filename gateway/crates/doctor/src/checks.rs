//! The checks. Each is pure where it can be, and gives findings; one that cannot be made says so.

pub(crate) mod gateway;
pub(crate) mod lives;
pub(crate) mod names;
pub(crate) mod page;
pub(crate) mod tag;
pub(crate) mod transport;

use crate::fetch::Failure;
use crate::finding::{Code, Finding};

/// What a failure to connect, to shake hands or to speak is found as.
pub(crate) fn unreachable(failure: &Failure, subject: &str) -> Finding {
    let code = match failure {
        Failure::NoAddress => return crate::finding::unchecked(subject, failure.to_string()),
        Failure::NoCertificate => Code::CertificateMissing,
        Failure::Tls(_) => Code::TlsFailed,
        Failure::Connect { .. } | Failure::Timeout { .. } | Failure::Http(_) => Code::Unreachable,
    };
    Finding::new(code, subject, failure.to_string())
}
