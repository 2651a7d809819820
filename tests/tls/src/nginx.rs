//! nginx, as it stands before a gateway, or beside it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};

use crate::process;

/// Debian has it where only root's `PATH` leads.
const PROGRAM: &str = "/usr/sbin/nginx";

/// One server with one worker. Ended when dropped.
pub struct Nginx {
    pub address: SocketAddr,
    pub version: String,
    master: Child,
}

impl Nginx {
    /// Starts one on a port of its own; `server` are the lines of its `server`, beside where it listens and its certificate,
    /// which is `name.pem` and `name.key` in the directory.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(dir: &Path, name: &str, server: &str) -> Nginx {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = dir.join("nginx.conf");
        fs::write(&file, configuration(dir, name, address, server)).unwrap();
        let program = if Path::new(PROGRAM).exists() { PROGRAM } else { "nginx" };
        let told = Command::new(program).arg("-v").output();
        let told = told.unwrap_or_else(|error| panic!("nginx: {error}; on Debian: apt-get install nginx-light"));
        let version = String::from_utf8_lossy(&told.stderr).trim().trim_start_matches("nginx version: ").to_owned();
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-p").arg(dir).arg("-e").arg(dir.join("error.log"));
        let master = process::start(command, address).unwrap_or_else(|problem| {
            let log = fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            panic!("{problem}: {log}");
        });
        Nginx { address, version, master }
    }

    /// The master's process.
    pub fn id(&self) -> u32 {
        self.master.id()
    }
}

impl Drop for Nginx {
    /// A master that is killed leaves its worker behind: it is asked.
    fn drop(&mut self) {
        let kill = format!("kill -TERM {}", self.id());
        if Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success()) {
            let _ = self.master.wait();
        }
    }
}

fn configuration(dir: &Path, name: &str, address: SocketAddr, server: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("    {what}_temp_path {}/{what};\n", dir.display())).concat();
    format!(
        "daemon off;
worker_processes 1;
pid {at}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
{temporary}    access_log off;
    server {{
        listen {address} ssl http2;
        ssl_certificate {at}/{name}.pem;
        ssl_certificate_key {at}/{name}.key;
{server}
    }}
}}
",
        at = dir.display()
    )
}
