//! A Lua script with its digest. Does not run it.

use sha1::{Digest, Sha1};

/// A script as the server knows it: by the SHA-1 of its text.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// In hexadecimal, lower case.
    pub(super) sha: String,
}

impl Script {
    /// The script whose text is `prelude` and then `body`. `name` is for messages.
    pub(super) fn new(name: &'static str, prelude: &str, body: &str) -> Script {
        let text = format!("{prelude}{body}");
        let digest = Sha1::digest(text.as_bytes());
        let sha = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Script { name, text, sha }
    }

    /// Whether a server whose memory is full runs it all the same.
    pub(super) fn needs_no_room(&self) -> bool {
        self.text.lines().next().is_some_and(|header| header.contains("allow-oom"))
    }
}
