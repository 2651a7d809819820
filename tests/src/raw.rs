//! A connection that a test writes bytes to, well-formed or not, at its own pace.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// One TCP connection.
#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Raw {
        Raw(TcpStream::connect(address).await.expect("somebody listens"))
    }

    /// Writes bytes; a peer that has closed already is no failure, for what it said can still be read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Reads until the peer closes, for as long as a test waits.
    ///
    /// # Panics
    /// When the peer keeps the connection open; shows what it said.
    pub async fn read_to_end(&mut self) -> String {
        self.read_while(|_| true).await
    }

    /// Reads one answer whose body is shorter than one segment, and leaves the connection open.
    ///
    /// # Panics
    /// When none comes.
    pub async fn read_answer(&mut self) -> String {
        self.read_while(|said| !is_whole(said)).await
    }

    /// Whether anything can be read at once.
    pub fn has_said_something(&self) -> bool {
        self.0.try_read(&mut [0]).is_ok()
    }

    async fn read_while(&mut self, more: impl Fn(&str) -> bool) -> String {
        let mut said = Vec::new();
        let reading = async {
            let mut buffer = [0; 4096];
            while more(&String::from_utf8_lossy(&said)) {
                match self.0.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => said.extend_from_slice(&buffer[..count]),
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, reading).await;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(ended.is_ok(), "the connection stays open; so far it said {said:?}");
        said
    }
}

/// Whether the head and as much of a body as it announces are there.
fn is_whole(said: &str) -> bool {
    let Some((head, body)) = said.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}
