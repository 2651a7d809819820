//! Makes a certificate authority of a server's own, and certificates, with the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether a client has to show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    NotAsked,
    Required,
}

/// The files of a server with TLS. The server's certificate is for `localhost` and `127.0.0.1`.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority's certificate, which a client has to trust.
    pub ca: PathBuf,
    /// The server's own.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// What a client may show as its own.
    pub client_certificate: PathBuf,
    pub client_key: PathBuf,
}

impl Tls {
    pub(crate) fn make(dir: &Path) -> Tls {
        let path = |name: &str| dir.join(name);
        let tls = Tls {
            ca: path("ca.crt"),
            certificate: path("server.crt"),
            key: path("server.key"),
            client_certificate: path("client.crt"),
            client_key: path("client.key"),
        };
        openssl(
            dir,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt",
        );
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            let extensions = format!(
                "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage={usage}\n"
            );
            std::fs::write(path(&format!("{name}.ext")), extensions).expect("a writable directory");
            openssl(
                dir,
                &format!(
                    "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
                -keyout {name}.key -out {name}.csr"
                ),
            );
            openssl(
                dir,
                &format!(
                    "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
                -extfile {name}.ext -out {name}.crt"
                ),
            );
        }
        tls
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split_whitespace()).current_dir(dir).stdin(Stdio::null());
    let output = command.output().expect("the `openssl` command is there");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
