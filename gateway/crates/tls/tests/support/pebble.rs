//! Pebble, a real ACME server, with its DNS server, and a gateway's two listeners that it dials.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Connection};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidegate_tls::{Acme, Challenge, Checking, Options, Precheck, Seams, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Authority, FakeClock};

/// One ACME server of a test's own. Ended when dropped.
pub struct Pebble {
    dir: TempDir,
    acme: Option<Child>,
    dns: Child,
    directory: SocketAddr,
    dns_management: SocketAddr,
    /// What validations by TLS-ALPN-01 and HTTP-01 dial.
    pub https: TcpListener,
    pub http: TcpListener,
    pub clock: Arc<FakeClock>,
    pub precheck: Arc<Switch>,
}

/// A check of DNS that says what it is told to.
#[derive(Default)]
pub struct Switch {
    pub fails: AtomicBool,
    pub asked: AtomicUsize,
}

impl Precheck for Switch {
    fn check<'a>(&'a self, host: &'a str) -> Checking<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.fails.load(Ordering::SeqCst) { Err(format!("`{host}` leads elsewhere")) } else { Ok(()) }
        })
    }
}

impl Pebble {
    pub async fn start() -> Pebble {
        Pebble::start_with("").await
    }

    /// With more lines of its configuration.
    pub async fn start_with(more: &str) -> Pebble {
        let dir = tempfile::tempdir().unwrap();
        let (directory, dns_port, dns_management) = (free().await, free().await, free().await);
        let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = Authority::new();
        // Its own certificate has to be signed by an authority: rustls takes no certificate that is one itself.
        authority.issue(&["127.0.0.1"]).write(dir.path(), "pebble");
        fs::write(dir.path().join("root.pem"), &authority.pem).unwrap();
        let config = format!(
            r#"{{"pebble":{{"listenAddress":"{directory}","certificate":"{at}/pebble.pem","privateKey":"{at}/pebble.key",
            "httpPort":{http},"tlsPort":{https},"ocspResponderURL":"" {more}}}}}"#,
            at = dir.path().display(),
            http = http.local_addr().unwrap().port(),
            https = https.local_addr().unwrap().port(),
        );
        fs::write(dir.path().join("pebble.json"), config).unwrap();
        let mut dns = Command::new("pebble-challtestsrv");
        dns.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        dns.args(["-dns01", &dns_port.to_string(), "-management", &dns_management.to_string()]);
        let dns = start(dns, dns_management);
        let (clock, precheck) = (FakeClock::now(), Arc::new(Switch::default()));
        let mut pebble = Pebble { dir, acme: None, dns, directory, dns_management, https, http, clock, precheck };
        fs::write(pebble.path("dns"), dns_port.to_string()).unwrap();
        pebble.begin();
        pebble
    }

    /// Starts it, with nothing remembered.
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
            end(&mut acme);
        }
    }

    /// Where a host leads, as the authority sees it.
    pub fn lead(&self, host: &str, address: &str) {
        self.manage("add-a", &format!(r#"{{"host":"{host}","addresses":["{address}"]}}"#));
    }

    pub fn lead_here(&self, host: &str) {
        self.manage("clear-a", &format!(r#"{{"host":"{host}"}}"#));
    }

    fn manage(&self, what: &str, body: &str) {
        let mut connection = Connection::connect(self.dns_management).unwrap();
        let length = body.len();
        let request = format!("POST /{what} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub fn options(&self, challenge: Challenge, hosts: &[&str]) -> Options {
        let acme = Acme {
            directory: format!("https://{}/dir", self.directory),
            contact: Some("ops@shop.example".into()),
            terms_agreed: true,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            cache: self.cache(),
            root: Some(self.path("root.pem")),
            challenge,
            external_account: None,
        };
        Options { acme: Some(acme), ..Options::default() }
    }

    pub fn open(&self, options: Options) -> Arc<Tls> {
        let clock = Arc::<FakeClock>::clone(&self.clock);
        let precheck = Arc::<Switch>::clone(&self.precheck);
        Tls::open(options, Seams { clock, precheck }).unwrap()
    }

    /// Renews what is due, while validations are answered by these gateways in turn.
    pub async fn renew(&self, gateways: &[&Tls]) {
        let renewals = futures_util::future::join_all(gateways.iter().map(|tls| tls.renew()));
        tokio::select! {
            _ = renewals => {}
            () = answer_https(&self.https, gateways) => {}
            () = answer_http(&self.http, gateways) => {}
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.end();
        end(&mut self.dns);
    }
}

async fn answer_https(listener: &TcpListener, gateways: &[&Tls]) {
    for turn in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        // A validation is none of the gateway's business; what else comes here is no test's.
        if let Ok(Some(_)) = gateways[turn % gateways.len()].accept(stream).await {
            panic!("a validation went through as a visitor");
        }
    }
}

/// As the gateway's plain listener does it.
async fn answer_http(listener: &TcpListener, gateways: &[&Tls]) {
    for turn in 0.. {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let token = head.split(' ').nth(1).unwrap().strip_prefix("/.well-known/acme-challenge/").unwrap();
        let host = head.split("Host: ").nth(1).unwrap().split([':', '\r']).next().unwrap();
        let answer = match gateways[turn % gateways.len()].challenge(host, token) {
            Some(answer) => format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()),
            None => "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Starts a program and waits until it listens.
fn start(mut command: Command, address: SocketAddr) -> Child {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{program}: {error}; on Debian: apt-get install pebble"));
    for _ in 0..1_000 {
        if Connection::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return child;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    end(&mut child);
    panic!("{program} does not listen on {address}");
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
