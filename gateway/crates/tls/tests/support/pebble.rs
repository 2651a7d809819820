//! Pebble with a gateway's two listeners that it dials, and what a gateway is opened with.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidegate_test_tls::Ports;
use tidegate_tls::{Acme, Challenge, Checking, Options, Precheck, Seams, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::FakeClock;

/// One ACME server of a test's own; dereferences to it.
pub struct Pebble {
    server: tidegate_test_tls::Pebble,
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

impl Deref for Pebble {
    type Target = tidegate_test_tls::Pebble;

    fn deref(&self) -> &Self::Target {
        &self.server
    }
}

impl DerefMut for Pebble {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.server
    }
}

impl Pebble {
    pub async fn start() -> Pebble {
        Pebble::start_with("").await
    }

    /// With more lines of its configuration.
    pub async fn start_with(more: &str) -> Pebble {
        let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let server = tidegate_test_tls::Pebble::start(Ports { http: port(&http), https: port(&https) }, more);
        Pebble { server, https, http, clock: FakeClock::now(), precheck: Arc::new(Switch::default()) }
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub fn options(&self, challenge: Challenge, hosts: &[&str]) -> Options {
        let acme = Acme {
            directory: self.directory(),
            contact: Some("ops@shop.example".into()),
            terms_agreed: true,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            cache: self.cache(),
            root: Some(self.root()),
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
