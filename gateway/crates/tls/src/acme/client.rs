//! Requests to the authority, within bounds. Owns the connection; knows nothing of ACME but its `Retry-After`.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{HOST, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A chain is some kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// One conversation with the authority. A connection for each request: an order takes about ten, in two months.
#[derive(Clone)]
pub(super) struct Client {
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
    retry_after: RetryAfter,
}

/// How long the authority last asked to be left alone, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct RetryAfter(Arc<Mutex<Option<u64>>>);

impl RetryAfter {
    pub(super) fn get(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, value: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl Client {
    pub(super) fn new(tls: Arc<ClientConfig>, clock: Arc<dyn Clock>) -> Client {
        Client { tls: TlsConnector::from(tls), clock, retry_after: RetryAfter::default() }
    }

    pub(super) fn retry_after(&self) -> RetryAfter {
        self.retry_after.clone()
    }

    async fn exchange(self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Failure> {
        let (host, port) = aim(&mut request)?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let name = ServerName::try_from(host).map_err(|_| "the directory names a host that is none")?;
        let stream = self.tls.connect(name, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answering = pin!(async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            Ok::<_, Failure>(BytesResponse { parts, body: Box::new(body) })
        });
        match select(answering, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            // The server closed; what it had answered is still to be read.
            Either::Right((_, answering)) => answering.await,
        }
    }

    /// Remembers what the authority asks for where it refuses. Elsewhere `Retry-After` is about polling.
    fn note(&self, answer: &BytesResponse) {
        let limited = matches!(answer.parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let value = answer.parts.headers.get(RETRY_AFTER).filter(|_| limited);
        self.retry_after.note(value.and_then(|value| wait_ms(value, self.clock.now_ms())));
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let exchange = client.clone().exchange(request);
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {REQUEST_TIMEOUT:?}"));
            let answer = answer.map_err(|_| Error::Other(late().into()))?.map_err(Error::Other)?;
            client.note(&answer);
            Ok(answer)
        })
    }
}

/// Trusts the system's authorities, and those given.
pub(super) fn trust(extra: &[rustls::pki_types::CertificateDer<'static>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in extra {
        roots.add(root.clone()).map_err(|error| format!("a certificate of [tls.acme] root cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err("this system has no certificate authorities: install ca-certificates".into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Where a request goes; what is left in it is what HTTP/1.1 sends there.
fn aim(request: &mut Request<BodyWrapper<Bytes>>) -> Result<(String, u16), Failure> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("https") {
        return Err(format!("the directory gave a URL that is no https:// one: {uri}").into());
    }
    let authority = uri.authority().ok_or("the directory gave a URL without a host")?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str())?);
    *request.uri_mut() = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((host, authority.port_u16().unwrap_or(443)))
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn wait_ms(value: &HeaderValue, now_ms: u64) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(u64::try_from(at).ok()?.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |text| wait_ms(&HeaderValue::from_static(text), 784_111_700_000);
        assert_eq!(wait("120"), Some(120_000));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(77_000));
        assert_eq!(wait("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }
}
