//! nginx with one worker, the gateway's certificate, and an answer that it was told.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpStream;

use super::client::Answer;

const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// Debian has it where only root's `PATH` leads.
const PROGRAM: &str = "/usr/sbin/nginx";

/// Ended when dropped.
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    pub(super) version: String,
    master: Child,
}

impl Nginx {
    /// Starts one that gives this answer to everything; `shop.pem` and `shop.key` are in the directory.
    pub(super) async fn start(dir: &Path, answer: &Answer) -> anyhow::Result<Nginx> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = dir.join("nginx.conf");
        std::fs::write(&file, configuration(dir, address, answer)?)?;
        let program = if Path::new(PROGRAM).exists() { PROGRAM } else { "nginx" };
        let told =
            Command::new(program).arg("-v").output().context("run nginx; on Debian: apt-get install nginx-light")?;
        let version = String::from_utf8_lossy(&told.stderr).trim().trim_start_matches("nginx version: ").to_owned();
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-p").arg(dir).args(["-e", "stderr"]);
        let master = command.stdin(Stdio::null()).spawn().context("start nginx")?;
        let mut nginx = Nginx { address, version, master };
        tokio::time::timeout(STARTS_WITHIN, nginx.listens()).await.context("nginx listens in time")??;
        Ok(nginx)
    }

    pub(super) fn id(&self) -> u32 {
        self.master.id()
    }

    /// Ends it with its worker.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    async fn listens(&mut self) -> anyhow::Result<()> {
        while TcpStream::connect(self.address).await.is_err() {
            anyhow::ensure!(self.master.try_wait()?.is_none(), "nginx ended instead of starting");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// A master that is killed leaves its worker behind: it is asked.
    fn end(&mut self) -> anyhow::Result<()> {
        if self.master.try_wait()?.is_none() {
            let kill = format!("kill -TERM {}", self.id());
            anyhow::ensure!(Command::new("sh").args(["-c", &kill]).status()?.success(), "nginx can be asked to end");
            self.master.wait()?;
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            println!("nginx goes on: {error:#}");
        }
    }
}

/// What it says as the gateway does: nginx writes the date and the length itself.
fn configuration(dir: &Path, address: SocketAddr, answer: &Answer) -> anyhow::Result<String> {
    let code = answer.status.split(' ').next().unwrap_or_default();
    let (mut kind, mut headers) = (String::new(), String::new());
    for (name, value) in &answer.headers {
        match name.as_str() {
            "date" | "content-length" | "connection" => {}
            "content-type" => kind = quoted(value)?,
            _ => writeln!(headers, "        add_header {name} {} always;", quoted(value)?)?,
        }
    }
    let body = quoted(&answer.body)?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {}/{what};\n", dir.display()))
        .concat();
    Ok(format!(
        "daemon off;
worker_processes 1;
pid {at}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
{temporary}    access_log off;
    keepalive_requests 1000000;
    server {{
        listen {address} ssl;
        ssl_certificate {at}/shop.pem;
        ssl_certificate_key {at}/shop.key;
        ssl_protocols TLSv1.3;
        default_type {kind};
{headers}        location / {{ return {code} {body}; }}
    }}
}}
",
        at = dir.display()
    ))
}

fn quoted(text: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!text.contains(['\'', '\\', '$', '\n']), "`{text}` cannot be told to nginx");
    Ok(format!("'{text}'"))
}
