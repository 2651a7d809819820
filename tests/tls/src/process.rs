//! Programs that listen.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starts a program and waits until it listens; or says why it does not.
pub(crate) fn start(mut command: Command, address: SocketAddr) -> Result<Child, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| format!("{program}: {error}"))?;
    for _ in 0..1_000 {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return Ok(child);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{program} ended with {status}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    end(&mut child);
    Err(format!("{program} does not listen on {address}"))
}

pub(crate) fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
