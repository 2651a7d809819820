//! The gateway's own TLS, as clients and certificate authorities see it: certificates by name, both versions of HTTP, what the
//! plain listener still answers, certificates that change, and certificates that are ordered.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Version};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_test_tls::{Authority, Pebble, Ports};
use tidegate_tests::{Destinations, HOOK, ORIGIN, PATIENCE, Platforms, Process, Settings, Stack, WRITE_KEY};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HOST: &str = "track.shop.example";

/// A site whose gateway speaks TLS with these lines of `[tls]`.
fn settings(tls: &str) -> Settings {
    let more = format!("{HOOK}\n[tls]\n{tls}\n");
    let listen = "https = \"127.0.0.1:0\"".into();
    Settings { destinations: Destinations::None, listen, more, ..Settings::default() }
}

fn certificates(names: &[&str]) -> String {
    let each: Vec<String> = names.iter().map(|n| format!("{{ cert = \"{n}.pem\", key = \"{n}.key\" }}")).collect();
    format!("certificates = [{}]", each.join(", "))
}

/// A gateway that shows a certificate of the authority for its host.
async fn secured(authority: &Authority) -> Stack {
    let pem = authority.issue(&[HOST]);
    Stack::prepared(settings(&certificates(&["shop"])), |dir| {
        pem.write(dir, "shop");
    })
    .await
}

/// A browser that trusts the authority, and finds these hosts at an address.
fn browser(roots: &str, address: SocketAddr) -> Client {
    let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
    let builder = builder.tls_certs_only([Certificate::from_pem(roots.as_bytes()).unwrap()]);
    let hosts = [HOST, "shop-b.example", "localhost"];
    hosts.iter().fold(builder, |builder, host| builder.resolve(host, address)).build().unwrap()
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("https://{HOST}:{}{path}", address.port())
}

/// Why a request got no answer.
async fn why(client: &Client, url: &str) -> String {
    let error = client.get(url).send().await.unwrap_err();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn purchase() -> Value {
    let properties = json!({ "value": 5.0, "currency": "EUR" });
    json!({ "event": "purchase", "properties": properties, "consent": "marketing", "write_key": WRITE_KEY })
}

#[tokio::test]
async fn a_browser_speaks_http_2_and_gets_cookies_and_hsts() {
    let authority = Authority::new();
    let stack = secured(&authority).await;
    let client = browser(&authority.pem, stack.https());
    let request = client.post(url(stack.https(), "/v1/events")).header("origin", ORIGIN);
    let answer = request.body(purchase().to_string()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    assert_eq!(header(&answer, "strict-transport-security"), "max-age=31536000");
    let cookies: Vec<&str> = answer.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    let visitor = cookies.iter().find(|line| line.starts_with("__Secure-tg_vid=")).unwrap();
    assert!(visitor.contains("; Secure") && visitor.contains("; Domain=shop.example"), "{visitor}");
    let script = client.get(url(stack.https(), "/t.js")).send().await.unwrap();
    assert_eq!(script.status(), 200);
}

#[tokio::test]
async fn who_asks_by_plain_http_is_sent_to_https_and_events_are_taken_all_the_same() {
    let stack = secured(&Authority::new()).await;
    let asked = |host: String| stack.request(reqwest::Method::GET, "/t.js?v=1").header("host", host);
    let port = stack.https().port();
    for (host, location) in [
        (format!("{HOST}:8080"), format!("https://{HOST}:{port}/t.js?v=1")),
        // Behind a port map the usual port of one leads to the usual port of the other.
        (HOST.to_owned(), format!("https://{HOST}/t.js?v=1")),
    ] {
        let answer = stack.send(asked(host)).await.unwrap();
        assert_eq!((answer.status, answer.header("location")), (308, Some(location.as_str())));
        assert_eq!(answer.header("strict-transport-security"), None, "plain HTTP may not say it");
    }
    let foreign = stack.send(asked("elsewhere.example".into())).await.unwrap();
    assert_ne!(foreign.status, 308, "nobody is sent to a host that is not ours");
    let by_proxy = stack.send(asked(HOST.into()).header("x-forwarded-proto", "https")).await.unwrap();
    assert_eq!(by_proxy.status, 200, "a proxy's HTTPS is HTTPS");
    let taken = stack.post_from_page(&purchase(), "").await;
    assert_eq!(taken.status, 200, "{}", taken.text);
}

#[tokio::test]
async fn each_host_is_shown_its_own_certificate_and_a_reload_takes_others() {
    let (first, second) = (Authority::new(), Authority::new());
    let stack = Stack::prepared(settings(&certificates(&["a", "b"])), |dir| {
        first.issue(&[HOST]).write(dir, "a");
        second.issue(&["shop-b.example"]).write(dir, "b");
    })
    .await;
    let at = stack.https();
    let of_b = format!("https://shop-b.example:{}/", at.port());
    assert_eq!(browser(&first.pem, at).get(url(at, "/")).send().await.unwrap().status(), 404);
    assert_eq!(browser(&second.pem, at).get(&of_b).send().await.unwrap().status(), 404);
    assert!(why(&browser(&first.pem, at), &of_b).await.contains("invalid peer certificate"));
    let nobodys = format!("https://localhost:{}/", at.port());
    assert!(why(&browser(&first.pem, at), &nobodys).await.contains("UnrecognisedName"));

    // A file that cannot be used refuses the reload as a whole, with what, where and how.
    std::fs::write(stack.dir.path().join("b.key"), "no key").unwrap();
    let refused = stack.reload(&settings(&certificates(&["a", "b"]))).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("has no private key in PEM format"), "{}", refused.text);
    assert_eq!(browser(&second.pem, at).get(&of_b).send().await.unwrap().status(), 404, "the old one goes on");

    second.issue(&[HOST]).write(stack.dir.path(), "b");
    let reloaded = stack.reload(&settings(&certificates(&["b"]))).await;
    assert_eq!(reloaded.status, 200, "{}", reloaded.text);
    assert_eq!(browser(&second.pem, at).get(url(at, "/")).send().await.unwrap().status(), 404);
    assert!(why(&browser(&first.pem, at), &url(at, "/")).await.contains("invalid peer certificate"));
}

#[tokio::test]
async fn the_operator_sees_every_certificate_and_when_it_ends() {
    let authority = Authority::new();
    let stack = secured(&authority).await;
    let status = stack.admin("/api/status").await.json;
    let [certificate] = status["certificates"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!((&certificate["host"], &certificate["source"]["from"]), (&json!(HOST), &json!("files")));
    assert_eq!(certificate["last_error"], Value::Null);
    let metrics = stack.admin("/metrics").await.text;
    let ends = certificate["certificate"]["not_after_ms"].as_u64().unwrap() / 1000;
    let line = format!("tidegate_tls_certificate_not_after_timestamp_seconds{{host=\"{HOST}\"}} {ends}");
    assert!(metrics.contains(&line), "{metrics}");
    assert!(metrics.contains(&format!("tidegate_tls_certificate_failing{{host=\"{HOST}\"}} 0")), "{metrics}");

    // Behind a proxy there is nothing to see.
    let plain = Stack::with(Settings { destinations: Destinations::None, ..Settings::default() }).await;
    assert_eq!(plain.admin("/api/status").await.json["certificates"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_said_before_anything_starts() {
    for (tls, said) in [
        (certificates(&["absent"]), "absent.pem` cannot be read: No such file"),
        (String::new(), "`listen.https` has no certificate to show"),
        ("certificates = [{ cert = \"a.pem\" }]".into(), "missing `tls.certificates.key`"),
        ("[tls.acme]\ncache = \"acme\"".into(), "the terms of service of"),
        ("[tls.acme]\nterms_agreed = true".into(), "missing `tls.acme.cache`"),
        ("[tls.acme]\ncache = \"acme\"\nchallenge = \"dns-01\"".into(), "unknown `tls.acme.challenge` `dns-01`"),
        (
            "[tls.acme]\ncache = \"acme\"\nterms_agreed = true\nhosts = []".into(),
            "`[tls.acme]` has no host to order a certificate for",
        ),
        ("hsts_days = 9999".into(), "`tls.hsts_days = 9999` is out of range"),
    ] {
        let error = Stack::try_start(settings(&tls)).await.unwrap_err();
        assert!(error.contains(said), "{tls}: {error}");
        assert!(error.contains("hint: "), "{tls}: {error}");
    }
}

#[tokio::test]
async fn a_site_that_no_authority_could_find_gets_no_listener_without_a_certificate() {
    let tls = "[tls.acme]\ncache = \"acme\"\nterms_agreed = true";
    let platforms = Platforms::start().await;
    let check = async |name: &str, settings: Settings| {
        let dir = tempfile::tempdir().unwrap();
        let config = Process::configure(&settings, &platforms, dir.path());
        let text = std::fs::read_to_string(&config).unwrap().replace("\"track.shop.example\"", &format!("{name:?}"));
        std::fs::write(&config, text).unwrap();
        let output = Process::command(&["check", "--config", config.to_str().unwrap()]).output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check("192.0.2.7", settings(tls)).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("`[tls.acme]` has no host to order a certificate for"), "{said}");
    assert_eq!(said.matches("hint: a certificate is ordered for a public name").count(), 1, "{said}");
    let (code, said) = check("t.shop.example", settings(tls)).await;
    assert_eq!(code, Some(0), "{said}");
}

/// An address that nothing listens on.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a question is answered with, once it is.
async fn until<T>(what: &str, question: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = question().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// A gateway as a process that orders its host's certificate from a pebble, which validates at the gateway's own ports,
/// or where its DNS says that the host is.
async fn ordering(challenge: &str, elsewhere: Option<&str>) -> (Process, Pebble, SocketAddr, TempDir) {
    let (http, https) = (free(), free());
    let pebble = Pebble::start(Ports { http: http.port(), https: https.port() }, "");
    if let Some(address) = elsewhere {
        pebble.lead("localhost", address);
    }
    let dir = tempfile::tempdir().unwrap();
    // The gateway asks the machine's own DNS first: this name is in every machine's hosts file.
    let acme = format!(
        "[tls.acme]\nhosts = [\"localhost\"]\ndirectory = \"{}\"\nroot = \"{}\"\ncontact = \"ops@shop.example\"\n\
         terms_agreed = true\ncache = \"acme\"\nchallenge = \"{challenge}\"",
        pebble.directory(),
        pebble.root().display()
    );
    let settings = Settings { listen: format!("https = \"{https}\""), ..settings(&acme) };
    let platforms = Platforms::start().await;
    let config = Process::configure(&settings, &platforms, dir.path());
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replacen("http = \"127.0.0.1:0\"", &format!("http = \"{http}\""), 1)).unwrap();
    let process = Process::start(&config).await;
    (process, pebble, https, dir)
}

#[tokio::test]
async fn a_certificate_is_ordered_by_each_challenge_and_used_at_once() {
    for challenge in ["tls-alpn-01", "http-01"] {
        let (process, _pebble, https, _dir) = ordering(challenge, None).await;
        let trusting_all = Client::builder().no_proxy().danger_accept_invalid_certs(true).timeout(PATIENCE);
        let client = trusting_all.resolve("localhost", https).build().unwrap();
        let at = format!("https://localhost:{}/t.js", https.port());
        let answer = until(challenge, async || client.get(&at).send().await.ok()).await;
        assert_eq!(answer.status(), 200, "{challenge}");
        let status = process.client.admin("/api/status").await.json;
        let [host] = status["certificates"].as_array().unwrap().as_slice() else { panic!("{status}") };
        assert_eq!((&host["host"], &host["source"]["from"]), (&json!("localhost"), &json!("acme")));
        assert!(host["certificate"]["issuer"].as_str().unwrap().contains("Pebble"), "{host}");
        assert!(process.terminate().await.success());
    }
}

#[tokio::test]
async fn a_validation_that_fails_is_told_to_the_operator_and_the_plain_listener_goes_on() {
    let (process, _pebble, _, _dir) = ordering("http-01", Some("127.0.0.9")).await;
    let answer = process.client.post_from_page(&purchase(), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let trouble = until("an error", async || {
        let status = process.client.admin("/api/status").await.json;
        status["certificates"][0]["last_error"]["message"].as_str().map(str::to_owned)
    })
    .await;
    assert!(trouble.contains("(connection)"), "{trouble}");
    assert!(process.terminate().await.success());
}

#[tokio::test]
async fn what_is_no_handshake_is_no_request() {
    let stack = secured(&Authority::new()).await;
    let mut stream = tokio::net::TcpStream::connect(stack.https()).await.unwrap();
    stream.write_all(b"GET /t.js HTTP/1.1\r\nHost: track.shop.example\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    // A TLS alert, if anything.
    assert!(answer.is_empty() || answer[0] == 21, "{}", String::from_utf8_lossy(&answer));
    assert_eq!(stack.post_from_page(&purchase(), "").await.status, 200);
}
