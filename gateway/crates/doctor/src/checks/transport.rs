//! How the gateway's host is spoken to: certificate, versions of TLS, HSTS, plain HTTP, the clock.

use std::time::{Duration, SystemTime};

use futures_util::future::join;
use http::header::{DATE, LOCATION, STRICT_TRANSPORT_SECURITY};
use rustls::pki_types::CertificateDer;
use url::Url;

use super::unreachable;
use crate::certificate::{self, Certificate, Judgement};
use crate::domain;
use crate::fetch::{Answer, Failure, Network};
use crate::finding::{Code, Finding, unchecked};

/// A certificate with less is late to be renewed, unless its life is so short that this is more than a third of it.
const DAYS_LEFT_MIN: i64 = 21;
const HSTS_S_MIN: u64 = 180 * 86_400;
/// More than an answer takes to come, less than a wrong time does harm.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(60);

/// The certificate of an address' host, and which TLS it speaks.
pub(crate) async fn tls(
    network: &Network,
    url: &Url,
    extra_roots: &[CertificateDer<'static>],
) -> (Option<Certificate>, Vec<Finding>) {
    let host = url.host_str().unwrap_or_default();
    let check = format!("the certificate of {host}");
    if url.scheme() != "https" {
        return (None, vec![unchecked(&check, format!("`{url}` is not HTTPS"))]);
    }
    let (v13, v12) =
        join(network.handshake(url, &[&rustls::version::TLS13]), network.handshake(url, &[&rustls::version::TLS12]))
            .await;
    let mut versions = Vec::new();
    versions.extend(v13.is_ok().then_some("1.3"));
    versions.extend(v12.is_ok().then_some("1.2"));
    let (session, _) = match (v13, v12) {
        (Ok(session), _) | (Err(_), Ok(session)) => session,
        (Err(Failure::NoAddress), Err(_)) => return (None, vec![unchecked(&check, Failure::NoAddress.to_string())]),
        (Err(failure), Err(_)) => return (None, vec![unreachable(&failure, host)]),
    };
    let now = network.now();
    let mut shown = certificate::read(&session.chain, host, now);
    if let Some(shown) = &mut shown {
        shown.versions.clone_from(&versions);
    }
    let roots = certificate::roots(extra_roots);
    let mut found = vec![judged(host, &certificate::judge(&session.chain, host, roots, now), shown.as_ref())];
    if !versions.contains(&"1.3") {
        found.push(Finding::new(Code::TlsNo13, host, "speaks TLS 1.2 only"));
    }
    (shown, found)
}

fn judged(host: &str, judgement: &Judgement, shown: Option<&Certificate>) -> Finding {
    let issuer = shown.map_or("?", |shown| shown.issuer.as_str());
    let days = shown.map_or(0, |shown| shown.days_left);
    let life_days = shown.map_or(0, |shown| (shown.not_after_s - shown.not_before_s) / 86_400);
    let names = shown.map(|shown| shown.names.join(", ")).unwrap_or_default();
    match judgement {
        Judgement::Valid if days < DAYS_LEFT_MIN.min(life_days / 3) => {
            let what = format!("its certificate expires in {days} days, by {issuer}");
            Finding::new(Code::CertificateExpiresSoon, host, what)
        }
        Judgement::Valid => {
            Finding::new(Code::CertificateValid, host, format!("its certificate has {days} days left, by {issuer}"))
        }
        Judgement::Expired => {
            Finding::new(Code::CertificateExpired, host, format!("its certificate expired {} days ago", -days))
        }
        Judgement::NotYetValid => {
            Finding::new(Code::CertificateNotYetValid, host, "its certificate begins to be valid later")
        }
        Judgement::WrongName => {
            Finding::new(Code::CertificateWrongName, host, format!("its certificate is for {names}"))
                .change(format!("Get a certificate whose subject alternative names have `{host}`."))
        }
        Judgement::Untrusted(why) => {
            Finding::new(Code::CertificateUntrusted, host, format!("its certificate is not trusted: {why} ({issuer})"))
        }
        Judgement::Broken(why) => {
            Finding::new(Code::CertificateBroken, host, format!("its certificate cannot be used: {why}"))
        }
        Judgement::NoRoots => unchecked(
            &format!("the certificate of {host}"),
            "this machine has no certificate authorities (`ca-certificates`)",
        ),
    }
}

/// What an answer's headers say of HTTPS and of the time.
pub(crate) fn headers(url: &Url, answer: &Result<Answer, Failure>) -> Vec<Finding> {
    let host = url.host_str().unwrap_or_default();
    match answer {
        Err(failure) => vec![
            unchecked(&format!("Strict-Transport-Security of {host}"), failure.to_string()),
            unchecked(&format!("the clock of {host}"), failure.to_string()),
        ],
        Ok(answer) => {
            let mut found = vec![clock(host, answer)];
            if url.scheme() == "https" && domain::address(host).is_none() {
                found.insert(0, hsts(host, answer));
            }
            found
        }
    }
}

fn hsts(host: &str, answer: &Answer) -> Finding {
    let Some(value) = answer.headers.get(STRICT_TRANSPORT_SECURITY).and_then(|value| value.to_str().ok()) else {
        return Finding::new(Code::HstsMissing, host, "answers without Strict-Transport-Security");
    };
    let age = value.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    });
    let header = format!("`Strict-Transport-Security: {value}`");
    match age {
        Some(age) if age >= HSTS_S_MIN => Finding::new(Code::Hsts, host, format!("answers with {header}")),
        Some(1..) => Finding::new(Code::HstsShort, host, format!("answers with {header}")),
        _ => Finding::new(Code::HstsMissing, host, format!("answers with {header}, which switches it off")),
    }
}

fn clock(host: &str, answer: &Answer) -> Finding {
    let date = answer.headers.get(DATE).and_then(|value| value.to_str().ok());
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return unchecked(&format!("the clock of {host}"), "it answers without a `Date`");
    };
    let (off, way) = apart(theirs, answer.at);
    if off <= CLOCK_OFF_MAX {
        return Finding::new(Code::Clock, host, "its clock agrees with this machine's");
    }
    Finding::new(Code::ClockOff, host, format!("its clock is {} s {way} this machine's", off.as_secs()))
}

fn apart(theirs: SystemTime, ours: SystemTime) -> (Duration, &'static str) {
    match theirs.duration_since(ours) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    }
}

/// Whether plain HTTP leads to HTTPS. Port 80, unless the address is itself HTTP.
pub(crate) async fn plain_http(network: &Network, url: &Url) -> Vec<Finding> {
    let host = url.host_str().unwrap_or_default();
    let mut plain = url.clone();
    if url.scheme() != "https" || plain.set_scheme("http").is_err() || plain.set_port(None).is_err() {
        return Vec::new();
    }
    let subject = format!("http://{host}");
    vec![match network.get(&plain, Vec::new()).await {
        Err(Failure::NoAddress) => unchecked(&subject, Failure::NoAddress.to_string()),
        Err(failure) => Finding::new(Code::HttpClosed, subject, failure.to_string()),
        Ok(answer) => redirected(subject, &plain, &answer),
    }]
}

fn redirected(subject: String, plain: &Url, answer: &Answer) -> Finding {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| plain.join(location).ok());
    match target.filter(|_| answer.status.is_redirection()) {
        Some(target) if target.scheme() == "https" => {
            Finding::new(Code::HttpRedirects, subject, format!("leads to `{target}`"))
        }
        Some(target) => Finding::new(Code::HttpNotRedirected, subject, format!("leads to `{target}`")),
        None => Finding::new(Code::HttpNotRedirected, subject, format!("answers {}", answer.status)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    use super::*;

    fn answer(status: u16, headers: &[(HeaderName, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter(headers),
            body: Bytes::new(),
            is_cut: false,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        }
    }

    #[test]
    fn strict_transport_security_is_long_short_or_missing() {
        for (value, expected) in [
            ("max-age=31536000; includeSubDomains", Code::Hsts),
            ("includeSubDomains; MAX-AGE=\"31536000\"", Code::Hsts),
            ("max-age=300", Code::HstsShort),
            ("max-age=0", Code::HstsMissing),
            ("includeSubDomains", Code::HstsMissing),
            ("max-age=x", Code::HstsMissing),
        ] {
            assert_eq!(hsts("a", &answer(200, &[(STRICT_TRANSPORT_SECURITY, value)])).code, expected, "{value}");
        }
        assert_eq!(hsts("a", &answer(200, &[])).code, Code::HstsMissing);
    }

    #[test]
    fn a_clock_may_be_a_minute_off() {
        for (date, expected) in [
            ("Tue, 14 Nov 2023 22:13:20 GMT", Code::Clock),
            ("Tue, 14 Nov 2023 22:14:20 GMT", Code::Clock),
            ("Tue, 14 Nov 2023 22:14:21 GMT", Code::ClockOff),
            ("Tue, 14 Nov 2023 22:12:19 GMT", Code::ClockOff),
            ("yesterday", Code::Unchecked),
        ] {
            assert_eq!(clock("a", &answer(200, &[(DATE, date)])).code, expected, "{date}");
        }
    }

    #[test]
    fn plain_http_has_to_lead_to_https() {
        let url = Url::parse("http://t.shop.example/").unwrap();
        for (status, location, expected) in [
            (301, "https://t.shop.example/", Code::HttpRedirects),
            (301, "//t.shop.example/", Code::HttpNotRedirected),
            (301, "http://www.shop.example/", Code::HttpNotRedirected),
            (301, "http://[", Code::HttpNotRedirected),
            (200, "https://t.shop.example/", Code::HttpNotRedirected),
        ] {
            let answer = answer(status, &[(LOCATION, location)]);
            assert_eq!(redirected(String::new(), &url, &answer).code, expected, "{status} {location}");
        }
    }
}
