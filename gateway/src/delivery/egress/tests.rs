//! What leaves and what comes back, against servers that do what no platform would.

mod server;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, date_time_ymd};

use self::server::{Authority, Server};
use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
/// A second address of this machine, which stands for a public one.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn outgoing(url: &str, network: Network) -> Outgoing {
    Outgoing {
        network,
        method: Method::POST,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        timeout_ms: 5_000,
        response_bytes_max: 1_000,
    }
}

/// An egress for which this machine's second address is public, and every name leads to these addresses.
fn egress(lookup: Lookup, authority: &Authority) -> Egress {
    let is_public = |ip| ip == OUTSIDE;
    Egress::within(Reach { lookup, is_public }, vec![authority.certificate()]).unwrap()
}

fn outside(_: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
    Box::pin(async { Ok(vec![OUTSIDE]) })
}

#[tokio::test]
async fn a_certificate_of_a_known_authority_for_the_right_name_is_needed() {
    let authority = Authority::new();
    let egress = egress(outside, &authority);
    let send = async |server: &Server| {
        let url = format!("https://platform.example:{}/", server.port());
        egress.send(outgoing(&url, Network::Public)).await
    };
    let named = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let good = Server::tls(OUTSIDE, authority.issue(named("platform.example"))).await;
    assert_eq!(send(&good).await.unwrap().status, 200);
    let mut expired = named("platform.example");
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    for (certificate, why) in [
        (Authority::new().issue(named("platform.example")), "BadSignature"),
        (authority.issue(named("elsewhere.example")), "not valid for name"),
        (authority.issue(expired), "expired"),
        (server::self_signed("platform.example"), "UnknownIssuer"),
    ] {
        let server = Server::tls(OUTSIDE, certificate).await;
        let Err(SendError::Connection(said)) = send(&server).await else { panic!("{why}: it was sent") };
        assert!(said.contains("certificate") && said.contains(why), "{why}: {said}");
        assert_eq!(server.requests(), 0, "{why}");
    }
    let plain = outgoing(&format!("http://platform.example:{}/", good.port()), Network::Public);
    assert!(egress.send(plain).await.is_err(), "without TLS nothing is sent");
    assert_eq!(good.requests(), 1);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let authority = Authority::new();
    let server = Server::plain(HERE, server::Way::Fine).await;
    for lookup in [
        |_| Box::pin(async { Ok(vec![HERE]) }) as Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>,
        |_| Box::pin(async { Ok(vec![]) }),
    ] as [Lookup; 2]
    {
        let url = format!("https://platform.example:{}/", server.port());
        let error = egress(lookup, &authority).send(outgoing(&url, Network::Public)).await.unwrap_err();
        assert!(matches!(&error, SendError::Forbidden(said) if said.contains("`platform.example`")), "{error}");
    }
    // As the system itself resolves it: every spelling of this machine's name.
    let real = Egress::new().unwrap();
    for name in ["localhost", "LOCALHOST", "localhost.", "lOcAlHoSt."] {
        let url = format!("https://{name}:{}/", server.port());
        let error = real.send(outgoing(&url, Network::Public)).await.unwrap_err();
        // Not every system knows the name with a dot.
        let unknown = name.ends_with('.') && error.to_string().contains("lookup");
        assert!(unknown || matches!(error, SendError::Forbidden(_)), "{name}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_connection_goes_to_an_address_that_was_checked() {
    /// A name that leads outside when it is checked, and inside whenever it is asked again.
    fn rebinding(_: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let first = ASKED.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move { Ok(vec![if first { OUTSIDE } else { HERE }]) })
    }
    /// Of several addresses one is inside, the first.
    fn mixed(_: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async { Ok(vec![HERE, OUTSIDE]) })
    }
    let authority = Authority::new();
    for lookup in [rebinding as Lookup, mixed] {
        let certificate = || authority.issue(CertificateParams::new(vec!["platform.example".to_owned()]).unwrap());
        let outside = Server::tls(OUTSIDE, certificate()).await;
        let inside = Server::tls_at(HERE, outside.port(), certificate()).await;
        let url = format!("https://platform.example:{}/", outside.port());
        let egress = egress(lookup, &authority);
        assert_eq!(egress.send(outgoing(&url, Network::Public)).await.unwrap().status, 200);
        assert_eq!((outside.requests(), inside.connections()), (1, 0));
        drop(outside);
        // Nobody is there any more: the next one asks for the address anew, and does not go inside either.
        assert!(egress.send(outgoing(&url, Network::Public)).await.is_err());
        assert_eq!(inside.connections(), 0);
    }
}

#[test]
fn an_address_in_the_url_is_checked_without_a_resolver_in_every_spelling() {
    for url in [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://0177.0.0.01/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://１２７.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fe80::1]/",
        "https://1.1.1.1@10.0.0.1/",
    ] {
        assert!(forbid_literal(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
    // A zone names an interface of this machine: it is no URL at all.
    assert!(Url::parse("https://[fe80::1%25eth0]/").is_err());
    assert!(forbid_literal(&Url::parse("https://graph.facebook.com/").unwrap()).is_ok());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_an_order() {
    let egress = Egress::new().unwrap();
    let target = Server::plain(HERE, server::Way::Fine).await;
    let server = Server::plain(HERE, server::Way::Redirect(format!("http://127.0.0.1:{}/", target.port()))).await;
    let answer = egress.send(outgoing(&server.url(), Network::Any)).await.unwrap();
    assert_eq!((answer.status, server.requests(), target.connections()), (307, 1, 0));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let egress = Egress::new().unwrap();
    let server = Server::plain(HERE, server::Way::EndlessBody).await;
    let answer = egress.send(outgoing(&server.url(), Network::Any)).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 1_000));

    let server = Server::plain(HERE, server::Way::EndlessHeaders).await;
    let error = egress.send(outgoing(&server.url(), Network::Any)).await.unwrap_err();
    assert!(matches!(error, SendError::Connection(_)), "{error}");
    assert!(server.sent() < 4 << 20, "it went on reading: {} bytes", server.sent());

    let server = Server::plain(HERE, server::Way::LargeHeaders).await;
    let answer = egress.send(outgoing(&server.url(), Network::Any)).await.unwrap();
    let bytes: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!((1..=HEADERS_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let egress = Egress::new().unwrap();
    for way in [server::Way::SlowBody, server::Way::SlowHeaders, server::Way::Silence] {
        let server = Server::plain(HERE, way).await;
        let outgoing = Outgoing { timeout_ms: 300, ..outgoing(&server.url(), Network::Any) };
        assert_eq!(egress.send(outgoing).await, Err(SendError::Timeout(300)));
    }
}
