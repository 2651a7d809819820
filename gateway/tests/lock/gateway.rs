//! The real gateway as a process, its log and its status.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A gateway that runs until it is dropped.
pub(crate) struct Gateway {
    child: Child,
    /// What it said until it listened.
    pub(crate) log: Vec<String>,
    admin: String,
}

impl Gateway {
    pub(crate) fn start(directory: &Path) -> Gateway {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("run").current_dir(directory).env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = Vec::new();
        let admin = lines.by_ref().find_map(|line| {
            log.push(line.clone());
            let (_, rest) = line.split_once("admin on http://")?;
            Some(rest.split(',').next()?.to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        Gateway { child, admin: admin.unwrap_or_else(|| panic!("the gateway did not start: {log:?}")), log }
    }

    pub(crate) fn status(&self) -> Value {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        let request = "GET /api/status HTTP/1.0\r\nauthorization: Bearer a token of the tests\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
