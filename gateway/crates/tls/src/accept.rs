//! One connection's handshake. Owns who is let in: visitors of hosts that have a certificate, and the authority's
//! validations, which are answered here and go no further.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::{Acceptor, ClientHello};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::config::{ACME_TLS, validation};
use crate::host::Host;
use crate::tls::Tls;
use crate::validation::certified;

/// A fatal alert `unrecognized_name` (RFC 6066, 3) in a plaintext record, as is due before any other answer.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Why a handshake came to nothing. None of these is a fault of ours: they are for counting, not for alarm.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("the handshake was not done within {timeout_ms} ms")]
    Timeout { timeout_ms: u64 },
    /// `None` where the client named no host.
    #[error("no certificate for {}", name.as_deref().map_or("a client that names no host".into(), |name| format!("`{name}`")))]
    UnknownName { name: Option<String> },
    #[error("the client speaks no TLS, none that is new enough, or went away")]
    Handshake(#[source] io::Error),
}

/// What a client asks for.
enum Asked {
    Known,
    Unknown(Option<String>),
    Validation(Option<Host>),
}

impl Tls {
    /// Does the handshake, within its time.
    ///
    /// `None` was the authority's validation by TLS-ALPN-01: it has its answer, and the connection is closed.
    pub async fn accept<IO>(&self, stream: IO) -> Result<Option<TlsStream<IO>>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let timeout_ms = self.handshake_timeout_ms();
        let handshake = tokio::time::timeout(Duration::from_millis(timeout_ms), self.handshake(stream));
        handshake.await.unwrap_or(Err(AcceptError::Timeout { timeout_ms }))
    }

    async fn handshake<IO>(&self, stream: IO) -> Result<Option<TlsStream<IO>>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(AcceptError::Handshake)?;
        match self.asked(&start.client_hello()) {
            Asked::Known => {
                let stream = start.into_stream(self.server_config()).await.map_err(AcceptError::Handshake)?;
                Ok(Some(stream))
            }
            Asked::Unknown(name) => refuse(start, name).await,
            Asked::Validation(host) => self.validate(start, host).await,
        }
    }

    fn asked(&self, hello: &ClientHello<'_>) -> Asked {
        let name = hello.server_name();
        if hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS)) {
            return Asked::Validation(name.and_then(|name| Host::parse(name).ok()));
        }
        match self.table().find(name) {
            Some(_) => Asked::Known,
            None => Asked::Unknown(name.map(str::to_owned)),
        }
    }

    async fn validate<IO>(
        &self,
        start: StartHandshake<IO>,
        host: Option<Host>,
    ) -> Result<Option<TlsStream<IO>>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(host) = host else { return refuse(start, None).await };
        let certificate = self.posted(&host).and_then(|posted| certified(&host, &posted, self.provider()));
        let config = certificate.and_then(|certificate| validation(Arc::clone(self.provider()), certificate).ok());
        let Some(config) = config else { return refuse(start, Some(host.as_str().to_owned())).await };
        let mut stream = start.into_stream(Arc::new(config)).await.map_err(AcceptError::Handshake)?;
        tracing::info!("the authority validated `{}`", host.as_str());
        if let Err(error) = stream.shutdown().await {
            tracing::debug!("the authority's validation of `{}` ended early: {error}", host.as_str());
        }
        Ok(None)
    }
}

async fn refuse<IO>(start: StartHandshake<IO>, name: Option<String>) -> Result<Option<TlsStream<IO>>, AcceptError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = start.io;
    let told = async {
        stream.write_all(&UNRECOGNIZED_NAME).await?;
        stream.shutdown().await
    };
    if let Err(error) = told.await {
        tracing::debug!("a client went away before it was refused: {error}");
    }
    Err(AcceptError::UnknownName { name })
}
