//! A shop with its page, its gateway and its name server, on loopback; each test changes one thing of it.
//!
//! All is right by default. The time is the shop's own, so that certificates and clocks can be right or wrong.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, DATE, HOST, LOCATION,
    ORIGIN, STRICT_TRANSPORT_SECURITY, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tidegate_doctor::{Code, Cookie, Finding, Options, Report, SetBy, Site, examine};
use tidegate_event::Level;
use tidegate_test_dns::{self as dns, Zone};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) const PAGE: &str = "www.shop.example";
pub(crate) const TRACKING: &str = "track.shop.example";
pub(crate) const SNIPPET: &str = "tidegate();";
pub(crate) const TAG: &str =
    "<!doctype html><script async src='https://track.shop.example/t.js' data-key='wk_1' data-consent='wait'></script>";
const NOW_S: u64 = 1_700_000_000;

type Request = http::Request<Incoming>;
type Response = http::Response<Full<Bytes>>;
type Alter = Arc<dyn Fn(&Request, &mut Response) + Send + Sync>;

/// A certificate, and which TLS its server speaks.
pub(crate) struct Tls {
    pub(crate) names: Vec<&'static str>,
    /// Year, month, day.
    pub(crate) from: (i32, u8, u8),
    pub(crate) until: (i32, u8, u8),
    pub(crate) signed_by: Authority,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    Trusted,
    Stranger,
}

/// What listens at a host's port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Serves,
    /// Takes connections, and says nothing.
    Hangs,
    /// Says something that is no TLS.
    Babbles,
    /// Nobody is there.
    Absent,
}

/// The shop as it is before it runs.
pub(crate) struct Shop {
    pub(crate) zone: Zone,
    pub(crate) html: String,
    pub(crate) page_tls: Tls,
    pub(crate) tracking_tls: Tls,
    pub(crate) page: Behaviour,
    pub(crate) tracking: Behaviour,
    pub(crate) plain: Behaviour,
    pub(crate) alter_page: Alter,
    pub(crate) alter_tracking: Alter,
    pub(crate) alter_plain: Alter,
    pub(crate) site: Site,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Duration,
}

impl Shop {
    /// One in which all is right.
    pub(crate) fn new() -> Shop {
        let mut site = Site::new("https://www.shop.example/", TRACKING).unwrap();
        let cookie = |name: &str, max_age_s| Cookie {
            name: name.into(),
            max_age_s,
            http_only: name.starts_with("__Secure"),
            set_by: SetBy::Server,
            level: Level::Analytics,
        };
        site.cookies = vec![cookie("__Secure-tg_vid", 34_560_000), cookie("_fbp", 90 * 86_400)];
        site.key = Some("wk_1".into());
        site.origins = vec!["https://www.shop.example".into()];
        site.health = Some("health".into());
        let mut shop = Shop {
            zone: Zone::new(),
            html: TAG.into(),
            page_tls: Tls::of(PAGE),
            tracking_tls: Tls::of(TRACKING),
            page: Behaviour::Serves,
            tracking: Behaviour::Serves,
            plain: Behaviour::Serves,
            alter_page: Arc::new(|_, _| {}),
            alter_tracking: Arc::new(|_, _| {}),
            alter_plain: Arc::new(|_, _| {}),
            site,
            timeout: Duration::from_secs(20),
            deadline: Duration::from_secs(60),
        };
        shop.name(PAGE, "198.51.100.10");
        shop.name(TRACKING, "198.51.100.20");
        shop
    }

    /// Puts a name into the zone.
    pub(crate) fn name(&mut self, name: &str, answers: &str) {
        self.zone.insert(name.into(), answers.into());
    }

    pub(crate) fn on_page(&mut self, alter: impl Fn(&Request, &mut Response) + Send + Sync + 'static) {
        self.alter_page = Arc::new(alter);
    }

    pub(crate) fn on_tracking(&mut self, alter: impl Fn(&Request, &mut Response) + Send + Sync + 'static) {
        self.alter_tracking = Arc::new(alter);
    }

    pub(crate) fn on_plain(&mut self, alter: impl Fn(&Request, &mut Response) + Send + Sync + 'static) {
        self.alter_plain = Arc::new(alter);
    }

    /// Runs it, and has it examined.
    pub(crate) async fn examine(self) -> Seen {
        let mut tasks = JoinSet::new();
        let (trusted, stranger) = (authority("Trusted"), authority("Stranger"));
        let mut options = Options::new(now());
        options.timeout = self.timeout;
        options.deadline = self.deadline;
        options.roots = vec![trusted.0.clone()];
        options.resolver = Some(dns::serve(self.zone, &mut tasks).await);

        let issuer = |tls: &Tls| if tls.signed_by == Authority::Trusted { &trusted.1 } else { &stranger.1 };
        let page_tls = acceptor(&self.page_tls, issuer(&self.page_tls));
        let tracking_tls = acceptor(&self.tracking_tls, issuer(&self.tracking_tls));
        let html = self.html;
        let page: Answering = Arc::new(move |request| answer_page(request, &html));
        let page = listen(&mut tasks, self.page, Some(page_tls), (page, self.alter_page)).await;
        let gateway: Answering = Arc::new(answer_gateway);
        let tracking = listen(&mut tasks, self.tracking, Some(tracking_tls), (gateway, self.alter_tracking)).await;
        let plain: Answering = Arc::new(answer_plain);
        let plain = listen(&mut tasks, self.plain, None, (plain, self.alter_plain)).await;
        let path_mode = self.site.tracking.host_str() == Some(PAGE);
        for (host, port, address) in [
            (PAGE, 443, page),
            (TRACKING, 443, tracking),
            (if path_mode { PAGE } else { TRACKING }, 80, plain),
            ("shop.example", 443, page),
            ("track.cloud.test", 443, tracking),
            ("track.cloud.test", 80, plain),
        ] {
            options.connect.insert((host.into(), port), address);
        }
        Seen(Box::pin(examine(&self.site, &options)).await)
    }
}

impl Tls {
    fn of(name: &'static str) -> Tls {
        Tls {
            names: vec![name],
            from: (2023, 10, 1),
            until: (2024, 1, 1),
            signed_by: Authority::Trusted,
            versions: rustls::ALL_VERSIONS.to_vec(),
        }
    }
}

/// What the doctor saw.
pub(crate) struct Seen(pub(crate) Report);

impl Seen {
    pub(crate) fn codes(&self) -> Vec<Code> {
        self.0.findings.iter().map(|finding| finding.code).collect()
    }

    /// Everything that is not in order.
    pub(crate) fn wrong(&self) -> Vec<Code> {
        let wrong = |finding: &&Finding| finding.severity > tidegate_doctor::Severity::Ok;
        self.0.findings.iter().filter(wrong).map(|finding| finding.code).collect()
    }

    #[track_caller]
    pub(crate) fn one(&self, code: Code) -> &Finding {
        let found = self.0.findings.iter().find(|finding| finding.code == code);
        found.unwrap_or_else(|| panic!("no `{code}` in {:#?}", self.0.findings))
    }

    /// Worst and best of a browser's life of the visitor's cookie, in days.
    pub(crate) fn days(&self, browser: &str) -> (u64, u64) {
        let life = self.0.lives.iter().find(|life| life.browser == browser && life.cookie.name == "__Secure-tg_vid");
        let life = &life.unwrap().life;
        (life.worst.seconds / 86_400, life.best.seconds / 86_400)
    }
}

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S)
}

pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).unwrap());
}

type Answering = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

fn answer(body: impl Into<Bytes>, headers: &[(HeaderName, &str)]) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    set(response.headers_mut(), DATE, &httpdate::fmt_http_date(now()));
    for (name, value) in headers {
        set(response.headers_mut(), name.clone(), value);
    }
    response
}

fn answer_page(request: &Request, html: &str) -> Response {
    match request.uri().path().strip_prefix("/t/") {
        Some(path) => answer_gateway_path(request, path),
        None => answer(html.to_owned(), &[(CONTENT_TYPE, "text/html; charset=utf-8")]),
    }
}

fn answer_gateway(request: &Request) -> Response {
    answer_gateway_path(request, request.uri().path().trim_start_matches('/'))
}

fn answer_gateway_path(request: &Request, path: &str) -> Response {
    let mut response = match (request.method(), path) {
        (&Method::OPTIONS, "v1/events") => answer("", &[]),
        (&Method::GET, "t.js") => answer(
            SNIPPET,
            &[(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")],
        ),
        (&Method::GET, "health") => answer("ok", &[]),
        _ => {
            let mut response = answer("", &[]);
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    };
    let headers = response.headers_mut();
    set(headers, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    set(headers, VARY, "accept-encoding, origin");
    if let Some(origin) = request.headers().get(ORIGIN).filter(|origin| *origin == "https://www.shop.example") {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    response
}

fn answer_plain(request: &Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = answer("", &[(LOCATION, &format!("https://{host}{}", request.uri().path()))]);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response
}

async fn listen(
    tasks: &mut JoinSet<()>,
    behaviour: Behaviour,
    tls: Option<TlsAcceptor>,
    answers: (Answering, Alter),
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if behaviour != Behaviour::Absent {
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answers) = (tls.clone(), answers.clone());
                connections.spawn(connection(stream, behaviour, tls, answers));
            }
        });
    }
    address
}

async fn connection(stream: TcpStream, behaviour: Behaviour, tls: Option<TlsAcceptor>, answers: (Answering, Alter)) {
    match (behaviour, tls) {
        (Behaviour::Hangs, _) => {
            let _held = stream;
            std::future::pending::<()>().await;
        }
        (Behaviour::Babbles, _) => {
            let _ = stream.writable().await;
            let _ = stream.try_write(b"220 mail.shop.example ESMTP\r\n");
        }
        (_, Some(tls)) => {
            // A client that does not like the certificate goes away; that is what is tested.
            if let Ok(stream) = tls.accept(stream).await {
                speak(stream, answers).await;
            }
        }
        (_, None) => speak(stream, answers).await,
    }
}

async fn speak<S>(stream: S, (answering, alter): (Answering, Alter))
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request| {
        let mut response = answering(&request);
        alter(&request, &mut response);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    let _ = server.auto_date_header(false).serve_connection(TokioIo::new(stream), service).await;
}

fn authority(name: &str) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), Issuer::new(params, key))
}

fn acceptor(tls: &Tls, issuer: &Issuer<'static, KeyPair>) -> TlsAcceptor {
    let names: Vec<String> = tls.names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(tls.from.0, tls.from.1, tls.from.2);
    params.not_after = rcgen::date_time_ymd(tls.until.0, tls.until.1, tls.until.2);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&tls.versions).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
