//! Pebble, a real ACME server, with the DNS server that it asks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::{Authority, process};

/// What its validations dial on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// For HTTP-01.
    pub http: u16,
    /// For TLS-ALPN-01.
    pub https: u16,
}

/// One ACME server of a test's own. Ended when dropped.
pub struct Pebble {
    dir: TempDir,
    acme: Option<Child>,
    dns: Child,
    directory: SocketAddr,
    dns_management: SocketAddr,
}

impl Pebble {
    /// Starts one; `more` are lines of its configuration.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(ports: Ports, more: &str) -> Pebble {
        let dir = tempfile::tempdir().unwrap();
        let (directory, dns_port, dns_management) = (free(), free(), free());
        let authority = Authority::new();
        // Its own certificate has to be signed by an authority: rustls takes no certificate that is one itself.
        authority.issue(&["127.0.0.1"]).write(dir.path(), "pebble");
        fs::write(dir.path().join("root.pem"), &authority.pem).unwrap();
        let config = format!(
            r#"{{"pebble":{{"listenAddress":"{directory}","certificate":"{at}/pebble.pem","privateKey":"{at}/pebble.key",
            "httpPort":{http},"tlsPort":{https},"ocspResponderURL":"" {more}}}}}"#,
            at = dir.path().display(),
            http = ports.http,
            https = ports.https,
        );
        fs::write(dir.path().join("pebble.json"), config).unwrap();
        fs::write(dir.path().join("dns"), dns_port.to_string()).unwrap();
        let mut dns = Command::new("pebble-challtestsrv");
        dns.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        dns.args(["-dns01", &dns_port.to_string(), "-management", &dns_management.to_string()]);
        let dns = start(dns, dns_management);
        let mut pebble = Pebble { dir, acme: None, dns, directory, dns_management };
        pebble.begin();
        pebble
    }

    /// Starts it again, with nothing remembered.
    ///
    /// # Panics
    /// When it does not start.
    pub fn begin(&mut self) {
        let mut acme = Command::new("pebble");
        acme.arg("-config").arg(self.path("pebble.json"));
        acme.arg("-dnsserver").arg(fs::read_to_string(self.path("dns")).unwrap());
        acme.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")]);
        self.acme = Some(start(acme, self.directory));
    }

    /// Ends it: the directory cannot be reached any more.
    pub fn end(&mut self) {
        if let Some(mut acme) = self.acme.take() {
            process::end(&mut acme);
        }
    }

    /// The directory's URL.
    pub fn directory(&self) -> String {
        format!("https://{}/dir", self.directory)
    }

    /// PEM of the authority that signed the directory's own certificate.
    pub fn root(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where a host leads, as the authority sees it.
    pub fn lead(&self, host: &str, address: &str) {
        self.manage("add-a", &format!(r#"{{"host":"{host}","addresses":["{address}"]}}"#));
    }

    /// The host leads to this machine again, as all do from the start.
    pub fn lead_here(&self, host: &str) {
        self.manage("clear-a", &format!(r#"{{"host":"{host}"}}"#));
    }

    fn manage(&self, what: &str, body: &str) {
        let mut connection = TcpStream::connect(self.dns_management).unwrap();
        let length = body.len();
        let request = format!("POST /{what} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.end();
        process::end(&mut self.dns);
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn start(command: Command, address: SocketAddr) -> Child {
    process::start(command, address).unwrap_or_else(|problem| panic!("{problem}; on Debian: apt-get install pebble"))
}
