//! Certificates in files, as clients see them.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod support;

use std::fs;
use std::sync::Arc;

use rustls::{HandshakeKind, NamedGroup, ProtocolVersion};
use support::{Authority, FakeClock, der, files, meet, meet_both, open, refused, shown, trusting, write};
use tidegate_tls::{AcceptError, Files, Options, Seams, Source, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn each_host_is_shown_its_own_certificate() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let shop = authority.issue(&["t.shop.test", "shop.test"]);
    let wild = authority.issue(&["*.shop.test"]);
    let tls = open(files(&[write(&shop, dir.path(), "shop"), write(&wild, dir.path(), "wild")]));
    let client = Arc::new(trusting(&authority));
    for (name, pem) in [
        ("t.shop.test", &shop),
        ("T.SHOP.test", &shop),
        ("shop.test", &shop),
        ("other.shop.test", &wild),
        ("OTHER.shop.TEST", &wild),
    ] {
        assert_eq!(shown(&meet(&tls, &client, name).await), der(&pem.cert), "{name}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_told_so() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["*.shop.test"]), dir.path(), "wild")]));
    let client = Arc::new(trusting(&authority));
    for name in ["shop.test", "a.b.shop.test", "elsewhere.test"] {
        let (met, accepted) = meet_both(&tls, &client, name).await;
        assert_eq!(met.unwrap_err(), "received fatal alert: UnrecognisedName", "{name}");
        assert_eq!(accepted.unwrap_err().to_string(), format!("no certificate for `{name}`"));
    }
}

#[tokio::test]
async fn a_client_that_names_no_host_sees_the_default_if_there_is_one() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let pem = authority.issue(&["t.shop.test"]);
    let options = files(&[write(&pem, dir.path(), "shop")]);
    let mut client = trusting(&authority);
    client.enable_sni = false;
    let client = Arc::new(client);
    let (met, accepted) = meet_both(&open(options.clone()), &client, "t.shop.test").await;
    assert_eq!(met.unwrap_err(), "received fatal alert: UnrecognisedName");
    assert!(matches!(accepted, Err(AcceptError::UnknownName { name: None })));
    let options = Options { default_host: Some("T.shop.test".into()), ..options };
    assert_eq!(shown(&meet(&open(options), &client, "t.shop.test").await), der(&pem.cert));
}

#[tokio::test]
async fn changed_files_are_taken_up() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    assert_eq!(tls.check_files().renewed, 0);
    let new = authority.issue(&["t.shop.test", "new.shop.test"]);
    write(&new, dir.path(), "shop");
    assert_eq!(tls.check_files().renewed, 1);
    let client = Arc::new(trusting(&authority));
    assert_eq!(shown(&meet(&tls, &client, "t.shop.test").await), der(&new.cert));
    assert_eq!(shown(&meet(&tls, &client, "new.shop.test").await), der(&new.cert));
    assert_eq!((tls.check_files().renewed, tls.reload().renewed), (0, 0));
}

#[tokio::test]
async fn files_replaced_by_a_rename_are_taken_up_though_their_size_and_time_are_the_same() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let files_of_shop = write(&authority.issue(&["t.shop.test"]), dir.path(), "shop");
    let tls = open(files(std::slice::from_ref(&files_of_shop)));
    let new = write(&authority.issue(&["t.shop.test"]), dir.path(), "new");
    for (from, to) in [(&new.key, &files_of_shop.key), (&new.cert, &files_of_shop.cert)] {
        let old = fs::metadata(to).unwrap().modified().unwrap();
        fs::File::options().write(true).open(from).unwrap().set_modified(old).unwrap();
        fs::rename(from, to).unwrap();
    }
    assert_eq!(tls.check_files().renewed, 1);
}

#[tokio::test]
async fn a_bad_new_file_leaves_the_old_certificate_and_is_told_once() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let good = authority.issue(&["t.shop.test"]);
    let written = write(&good, dir.path(), "shop");
    let tls = open(files(std::slice::from_ref(&written)));
    // A new one each time: it would resume the first session, and not see another certificate.
    let client = || Arc::new(trusting(&authority));
    let other = authority.issue(&["t.shop.test"]);
    for (cert, told) in [
        ("nonsense", "has no certificate in PEM format"),
        (other.cert.as_str(), "does not belong to the certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "cannot be parsed"),
    ] {
        fs::write(&written.cert, cert).unwrap();
        let mistakes = tls.check_files().mistakes;
        assert!(mistakes[0].to_string().contains(told), "{mistakes:?}");
        assert!(tls.check_files().mistakes.is_empty());
        assert_eq!(tls.reload().mistakes.len(), 1);
        assert_eq!(shown(&meet(&tls, &client(), "t.shop.test").await), der(&good.cert));
        let trouble = tls.status()[0].last_error.clone().unwrap();
        assert!(trouble.message.contains(told) && trouble.message.contains("shop.pem"), "{trouble:?}");
    }
    fs::remove_file(&written.cert).unwrap();
    assert!(tls.check_files().mistakes[0].to_string().contains("cannot be read"));
    // The key follows its certificate: only then both are taken up.
    write(&other, dir.path(), "shop");
    assert_eq!(tls.check_files().renewed, 1);
    assert_eq!(tls.status()[0].last_error, None);
    assert_eq!(shown(&meet(&tls, &client(), "t.shop.test").await), der(&other.cert));
}

#[test]
fn all_bad_files_are_told_at_once_with_what_to_do() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let text_file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let good = authority.issue(&["t.shop.test"]);
    let cert = text_file("good.pem", &good.cert);
    let key = text_file("good.key", &good.key);
    let expired = authority.issue_with(&["t.shop.test"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let nameless = authority.issue(&[]);
    let pair = |cert, key| Files { cert, key };
    let text = refused(files(&[
        pair(dir.path().join("absent.pem"), key.clone()),
        pair(cert.clone(), text_file("other.key", &authority.issue(&["t.shop.test"]).key)),
        pair(key.clone(), key.clone()),
        pair(cert.clone(), cert.clone()),
        write(&expired, dir.path(), "expired"),
        write(&nameless, dir.path(), "nameless"),
        pair(text_file("chain.pem", &format!("{}{}", authority.pem, good.cert)), key.clone()),
        pair(
            cert,
            text_file(
                "locked.key",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
            ),
        ),
        pair(text_file("huge.pem", &"x".repeat(2_000_000)), key),
    ]));
    for told in [
        "absent.pem` cannot be read: No such file or directory (os error 2)\nhint: check the path",
        "other.key` does not belong to the certificate in `",
        "good.key` has no certificate in PEM format\nhint: ",
        "good.pem` has no private key in PEM format\nhint: ",
        "expired.pem` expired at 2020-01-01T00:00:00Z\nhint: renew it",
        "nameless.pem` names no host",
        "certificate 2 in `",
        "did not sign the one before it\nhint: put the host's own certificate first",
        "locked.key` is encrypted\nhint: decrypt it",
        "huge.pem` is larger than",
    ] {
        assert!(text.contains(told), "{told}\nis not in\n{text}");
    }
    assert_eq!(text.matches("hint: ").count(), 9, "{text}");
}

#[test]
fn a_default_host_without_a_certificate_is_refused() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let files = files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]);
    let text = refused(Options { default_host: Some("other.test".into()), ..files });
    assert!(text.contains("the default host `other.test` is in none of the certificates"), "{text}");
}

#[test]
fn a_certificate_that_ends_soon_is_told() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let clock = FakeClock::now();
    let pem = authority.issue_with(&["t.shop.test", "*.shop.test"], |params| {
        params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    });
    let written = write(&pem, dir.path(), "shop");
    let end_ms = 2_082_758_400_000;
    let seams = Seams { clock: Arc::<FakeClock>::clone(&clock), ..Seams::default() };
    let tls = Tls::open(files(std::slice::from_ref(&written)), seams).unwrap();
    let status = &tls.status()[1];
    assert_eq!(status.host, "t.shop.test");
    assert_eq!(status.source, Source::Files { cert: written.cert.clone(), key: written.key });
    assert_eq!(status.certificate.as_ref().unwrap().not_after_ms, end_ms);
    assert_eq!(status.certificate.as_ref().unwrap().issuer, "CN=Shop Test Authority");
    assert!(status.warnings.iter().all(|warning| !warning.contains("expire")), "{status:?}");
    clock.set(end_ms - 13 * support::DAY_MS);
    assert!(tls.status()[0].warnings[0].contains("expires at 2036-01-01T00:00:00Z"));
    clock.set(end_ms + 1);
    assert!(tls.status()[0].warnings[0].contains("expired at 2036-01-01T00:00:00Z"));
    assert!(tls.reload().mistakes[0].to_string().contains("expired"));
}

#[tokio::test]
async fn versions_1_3_and_1_2_and_both_protocols_are_spoken() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    for (version, expected) in
        [(&rustls::version::TLS13, ProtocolVersion::TLSv1_3), (&rustls::version::TLS12, ProtocolVersion::TLSv1_2)]
    {
        for (offered, agreed) in
            [(vec!["h2", "http/1.1"], Some("h2")), (vec!["http/1.1"], Some("http/1.1")), (vec![], None)]
        {
            let mut config = trusting(&authority);
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let met = meet(&tls, &only(config, version), "t.shop.test").await.unwrap();
            let session = met.get_ref().1;
            assert_eq!(session.protocol_version(), Some(expected));
            assert_eq!(session.alpn_protocol(), agreed.map(str::as_bytes));
        }
    }
}

/// The same settings with one version of TLS.
fn only(config: rustls::ClientConfig, version: &'static rustls::SupportedProtocolVersion) -> Arc<rustls::ClientConfig> {
    let provider = config.crypto_provider().clone();
    let mut new = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(support::Anyone(provider)))
        .with_no_client_auth();
    new.alpn_protocols = config.alpn_protocols;
    Arc::new(new)
}

#[tokio::test]
async fn a_second_connection_resumes_the_session() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = only(trusting(&authority), version);
        let first = meet(&tls, &client, "t.shop.test").await.unwrap();
        assert_eq!(first.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        let second = meet(&tls, &client, "t.shop.test").await.unwrap();
        assert_eq!(second.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
    }
    assert_eq!(tls.server_config().max_early_data_size, 0);
}

#[tokio::test]
async fn a_post_quantum_key_exchange_is_agreed_on() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let agreed = |met: support::Met| met.unwrap().get_ref().1.negotiated_key_exchange_group().map(|group| group.name());
    provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::X25519MLKEM768);
    let client = support::with_provider(provider.clone(), &authority);
    assert_eq!(agreed(meet(&tls, &client, "t.shop.test").await), Some(NamedGroup::X25519MLKEM768));
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    let client = support::with_provider(provider, &authority);
    assert_eq!(agreed(meet(&tls, &client, "t.shop.test").await), Some(NamedGroup::X25519));
}

/// A client's first message as TLS 1.1 has it: one RSA suite, the name `t.shop.test`.
fn hello_of_tls_1_1() -> Vec<u8> {
    let name = b"t.shop.test";
    let named = u8::try_from(name.len()).unwrap();
    let mut extension = vec![0, 0, 0, named + 5, 0, named + 3, 0, 0, named];
    extension.extend(name);
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0, 0x2f, 1, 0, 0, u8::try_from(extension.len()).unwrap()]);
    body.extend(extension);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    let (accepted, answer) = answer_to(&tls, &hello_of_tls_1_1()).await;
    assert!(matches!(accepted, Err(AcceptError::Handshake(_))), "{accepted:?}");
    // A fatal alert: handshake_failure, for rustls first misses what only TLS 1.2 has; or protocol_version.
    assert!(matches!(answer[..], [21, _, _, 0, 2, 2, 40 | 70]), "{answer:?}");
}

async fn answer_to(tls: &Tls, bytes: &[u8]) -> (Result<(), AcceptError>, Vec<u8>) {
    let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
    ours.write_all(bytes).await.unwrap();
    ours.shutdown().await.unwrap();
    let accepted = tls.accept(theirs).await.map(drop);
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).await.unwrap();
    (accepted, answer)
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    for bytes in
        [b"GET / HTTP/1.1\r\nHost: t.shop.test\r\n\r\n".as_slice(), b"", &[22], &[0; 4096], &[255; 70_000][..60_000]]
    {
        let (accepted, _) = answer_to(&tls, bytes).await;
        assert!(matches!(accepted, Err(AcceptError::Handshake(_))), "{accepted:?}");
    }
    let whole = hello_of_tls_1_1();
    for end in 0..whole.len() {
        assert!(answer_to(&tls, &whole[..end]).await.0.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_a_time_limit() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    let (_ours, theirs) = tokio::io::duplex(1024);
    let accepted = tls.accept(theirs).await;
    assert!(matches!(accepted, Err(AcceptError::Timeout { timeout_ms: 10_000 })));
}

#[tokio::test(start_paused = true)]
async fn files_are_watched_until_it_is_stopped() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    let new = authority.issue(&["t.shop.test"]);
    write(&new, dir.path(), "shop");
    let stop = tokio_util::sync::CancellationToken::new();
    // Time is paused: it goes on by itself when all wait, here 45 s, of which the first check is after 30.
    let stopped = async {
        tokio::time::sleep(std::time::Duration::from_secs(45)).await;
        stop.cancel();
    };
    tokio::join!(tls.run(stop.clone()), stopped);
    assert_eq!(shown(&meet(&tls, &Arc::new(trusting(&authority)), "t.shop.test").await), der(&new.cert));
}

#[tokio::test]
async fn other_options_are_taken_whole_or_not_at_all() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let one = write(&authority.issue(&["one.test"]), dir.path(), "one");
    let two = write(&authority.issue(&["two.test"]), dir.path(), "two");
    let tls = open(files(std::slice::from_ref(&one)));
    let client = Arc::new(trusting(&authority));
    let absent = Files { cert: "/absent".into(), key: "/absent".into() };
    assert!(tls.change(files(&[two.clone(), absent])).is_err());
    assert!(meet(&tls, &client, "one.test").await.is_ok());
    assert!(meet(&tls, &client, "two.test").await.is_err());
    tls.change(files(&[two])).unwrap();
    assert!(meet(&tls, &client, "one.test").await.is_err());
    assert!(meet(&tls, &client, "two.test").await.is_ok());
}

#[test]
fn status_is_json_for_the_dashboard() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = open(files(&[write(&authority.issue(&["t.shop.test"]), dir.path(), "shop")]));
    let json = serde_json::to_value(tls.status()).unwrap();
    assert_eq!(json[0]["source"]["from"], "files");
    assert_eq!(json[0]["certificate"]["issuer"], "CN=Shop Test Authority");
    assert_eq!(json[0]["next_attempt_ms"], serde_json::Value::Null);
}
