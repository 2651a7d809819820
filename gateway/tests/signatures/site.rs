//! A site with a plugin as a file, and the real minisign beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tidegate_plugin_sdk::manifest::{embed, extract};

const USAGE: i32 = 64;

pub(crate) struct Site(TempDir);

/// The line of a destination that says who has to have signed.
pub(crate) fn pinned(publisher: &str) -> String {
    format!("publisher = \"{publisher}\"\n")
}

/// A `[[plugins.publisher]]`.
pub(crate) fn publisher(name: &str, keys: &[&str], retired: &[&str]) -> String {
    format!("[[plugins.publisher]]\nname = \"{name}\"\nkeys = {keys:?}\nretired_keys = {retired:?}\n")
}

impl Site {
    /// One whose plugin is the built-in webhook.
    pub(crate) fn new() -> Site {
        let site = Site(TempDir::new().unwrap());
        site.rebuild("0.1.0");
        site.configure("", "");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes `hook.wasm` with this version.
    pub(crate) fn rebuild(&self, version: &str) {
        let wasm = tidegate_plugins::find("webhook").unwrap().wasm;
        let manifest = extract(wasm).unwrap();
        let section = embed(b"\0asm\x0d\0\x01\0", manifest).len() - 8;
        let other = manifest.replacen("version = \"0.1.0\"", &format!("version = \"{version}\""), 1);
        // After the manifest there is nothing but the fixtures.
        let begins = wasm.windows(manifest.len()).rposition(|bytes| bytes == manifest.as_bytes()).unwrap();
        self.write("hook.wasm", &embed(&wasm[..begins + manifest.len() - section], &other));
    }

    /// Writes `tidegate.toml`, with more about plugins and about the destination `hook`.
    pub(crate) fn configure(&self, plugins: &str, hook: &str) {
        let text = format!(
            r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[admin]
token = "a token of the tests"
[visitor]
keys = ["k1:a visitor key of the tests"]
{plugins}
[[site]]
name = "shop"
hosts = ["localhost"]
write_keys = ["public-key"]
[[destination]]
name = "hook"
site = "shop"
plugin = "hook.wasm"
{hook}config = {{ url = "https://hook.example/" }}
secrets = {{ signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }}
[[destination]]
name = "chat"
site = "shop"
plugin = "slack"
secrets = {{ webhook = "T000/B000/XXXX" }}
"#
        );
        self.write("tidegate.toml", text.as_bytes());
    }

    /// Makes a pair of keys, and gives the public one.
    pub(crate) fn key(&self, name: &str) -> String {
        minisign(self.0.path(), &["-G", "-W", "-f", "-p", &format!("{name}.pub"), "-s", &format!("{name}.key")]);
        String::from_utf8(self.read(&format!("{name}.pub"))).unwrap().lines().nth(1).unwrap().to_owned()
    }

    /// The id of a key, in all its digits.
    pub(crate) fn id(&self, name: &str) -> String {
        let file = String::from_utf8(self.read(&format!("{name}.pub"))).unwrap();
        // Minisign writes the number without the zeros before it.
        format!("{:0>16}", file.lines().next().unwrap().rsplit(' ').next().unwrap())
    }

    /// Signs a file with a key, with one more argument where it is not empty.
    pub(crate) fn sign(&self, key: &str, file: &str, argument: &str) {
        let secret = format!("{key}.key");
        let mut arguments = vec!["-S", "-s", &secret, "-m", file];
        arguments.extend(Some(argument).filter(|argument| !argument.is_empty()));
        minisign(self.0.path(), &arguments);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// What is said of a gateway that does not start: the same as what a check says of it.
    pub(crate) fn refused(&self) -> String {
        let (code, stdout, checked) = self.run(&["check"]);
        assert_eq!(code, Some(USAGE), "{stdout}{checked}");
        let (code, stdout, started) = self.run(&["run"]);
        assert_eq!(code, Some(USAGE), "{stdout}{started}");
        assert!(checked.starts_with(started.trim_end()), "{checked}\n{started}");
        checked
    }

    /// What starts.
    pub(crate) fn accepted(&self) {
        let (code, stdout, stderr) = self.run(&["check"]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
    }

    /// Approves everything.
    pub(crate) fn approve(&self) {
        let (code, _, stderr) = self.run(&["plugin", "approve", "--all", "--by", "anna", "--yes"]);
        assert_eq!(code, Some(0), "{stderr}");
    }
}

fn minisign(directory: &Path, arguments: &[&str]) {
    let command = Command::new("minisign").args(arguments).current_dir(directory).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = command.expect("minisign is not installed: `make minisign`");
    assert!(
        status.success(),
        "minisign {arguments:?}: {}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
}
