//! A shop as its visitors reach it: a page by TLS, a gateway by its own TLS or behind a proxy, and a name server. All is right
//! by default; each test changes one thing of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{DATE, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tidegate_test_dns::Zone;
use tidegate_test_tls::{Authority, Pem};
use tidegate_tests::{Client, Destinations, HOOK, Process, Settings, Stack, WRITE_KEY};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) const PAGE: &str = "www.shop.example";
pub(crate) const TRACKING: &str = "track.shop.example";

/// A shop before it runs.
pub(crate) struct Shop {
    pub(crate) authority: Authority,
    pub(crate) zone: Zone,
    pub(crate) html: String,
    /// Lines of `[tls]` beside the certificate.
    pub(crate) tls: String,
    /// The names in the gateway's own certificate.
    pub(crate) names: Vec<&'static str>,
    /// What stands before the gateway, if it does not speak TLS with visitors itself.
    pub(crate) proxy: Option<Proxy>,
}

/// A proxy that ends TLS before a gateway.
pub(crate) struct Proxy {
    pub(crate) pem: Pem,
    /// The value of its `Strict-Transport-Security`.
    pub(crate) hsts: Option<&'static str>,
    /// How far its clock is behind.
    pub(crate) behind: Duration,
}

/// A shop that runs.
pub(crate) struct Open {
    stack: Stack,
    resolver: SocketAddr,
    /// Where hosts and ports lead, instead of to their addresses.
    connect: BTreeMap<&'static str, SocketAddr>,
    _tasks: JoinSet<()>,
}

/// What the command did.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// What a TLS server of the test answers.
#[derive(Clone)]
enum Content {
    Page(Arc<str>),
    Gateway { client: Client, hsts: Option<&'static str>, behind: Duration },
}

impl Proxy {
    /// One in which all is right but its certificate, perhaps.
    pub(crate) fn with(pem: Pem) -> Proxy {
        Proxy { pem, hsts: Some("max-age=31536000"), behind: Duration::ZERO }
    }
}

impl Shop {
    pub(crate) fn new() -> Shop {
        let zone = [(PAGE, "198.51.100.10"), (TRACKING, "198.51.7.20")];
        Shop {
            authority: Authority::new(),
            zone: zone.map(|(name, answers)| (name.to_owned(), answers.to_owned())).into(),
            html: format!(
                "<!doctype html><title>Shop</title>\
                 <script async src=\"https://{TRACKING}/t.js\" data-key=\"{WRITE_KEY}\" data-consent=\"wait\"></script>"
            ),
            tls: String::new(),
            names: vec![TRACKING],
            proxy: None,
        }
    }

    pub(crate) async fn open(self) -> Open {
        let mut tasks = JoinSet::new();
        let resolver = tidegate_test_dns::serve(self.zone, &mut tasks).await;
        let tls =
            format!("{HOOK}\n[tls]\ncertificates = [{{ cert = \"shop.pem\", key = \"shop.key\" }}]\n{}\n", self.tls);
        let listen = "https = \"127.0.0.1:0\"".into();
        let settings = Settings { destinations: Destinations::None, listen, more: tls, ..Settings::default() };
        let (authority, pem) = (self.authority.pem.clone(), self.authority.issue(&self.names));
        let stack = Stack::prepared(settings, |dir| {
            pem.write(dir, "shop");
            std::fs::write(dir.join("authority.pem"), authority).unwrap();
        })
        .await;
        let page = Content::Page(self.html.into());
        let page = serve(&mut tasks, &self.authority.issue(&[PAGE, "blog.shop.example"]), page).await;
        let gateway = match self.proxy {
            None => stack.https(),
            Some(Proxy { pem, hsts, behind }) => {
                let client = Client::new(stack.http, stack.admin);
                serve(&mut tasks, &pem, Content::Gateway { client, hsts, behind }).await
            }
        };
        let connect = [
            ("www.shop.example:443", page),
            ("blog.shop.example:443", page),
            ("track.shop.example:443", gateway),
            ("track.shop.example:80", stack.http),
        ];
        Open { stack, resolver, connect: connect.into(), _tasks: tasks }
    }
}

impl Open {
    /// Changes the configuration, which the gateway does not read again.
    pub(crate) fn edit(&self, change: impl Fn(String) -> String) {
        let file = self.stack.dir.path().join("tidegate.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
    }

    /// The command with these arguments alone.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Said {
        let mut command = Process::command(&["doctor"]);
        command.arg("--config").arg(self.stack.dir.path().join("tidegate.toml"));
        said(command.args(arguments).output().await.unwrap())
    }

    /// The command, as a site's owner calls it, with more arguments.
    pub(crate) async fn doctor(&self, more: &[&str]) -> Said {
        let dir = self.stack.dir.path();
        let (config, ca) = (dir.join("tidegate.toml"), dir.join("authority.pem"));
        let resolver = self.resolver.to_string();
        let mut command = Process::command(&["doctor", "--resolver", &resolver]);
        command.arg("--config").arg(config).arg("--ca").arg(ca).args(["--tracking", TRACKING]);
        for (from, to) in &self.connect {
            command.arg("--connect").arg(format!("{from}={to}"));
        }
        said(command.args(more).output().await.unwrap())
    }

    /// The same for programs.
    pub(crate) async fn report(&self, more: &[&str]) -> (i32, Value) {
        let said = self.doctor(&[&["--json"], more].concat()).await;
        let report = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        (said.code, report)
    }
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), errors: text(output.stderr) }
}

/// Serves by TLS until the tasks are dropped.
async fn serve(tasks: &mut JoinSet<()>, pem: &Pem, content: Content) -> SocketAddr {
    let chain = CertificateDer::pem_slice_iter(pem.cert.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, content) = (tls.clone(), content.clone());
            connections.spawn(async move {
                // The doctor goes away when it has seen the certificate.
                let Ok(stream) = tls.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    let content = content.clone();
                    async move { Ok::<_, Infallible>(content.answer(request).await) }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

impl Content {
    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self {
            Content::Page(html) => Response::new(Full::from(html.to_string())),
            Content::Gateway { client, hsts, behind } => {
                let mut response = passed_on(&client, &request).await;
                #[expect(clippy::disallowed_methods, reason = "the doctor judges clocks by the real time")]
                let now = SystemTime::now();
                let headers = response.headers_mut();
                headers.insert(DATE, HeaderValue::try_from(httpdate::fmt_http_date(now - behind)).unwrap());
                headers.extend(hsts.map(|hsts| (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(hsts))));
                response
            }
        }
    }
}

/// What the gateway answers a request that a proxy passes on. None of the doctor's has a body.
async fn passed_on(client: &Client, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let passed = client.request(request.method().clone(), path).headers(request.headers().clone());
    let answer = client.send(passed.header("x-forwarded-proto", "https")).await.unwrap();
    let mut response = Response::new(Full::from(answer.text));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    *response.headers_mut() = answer.headers;
    response
}
