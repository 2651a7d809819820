//! A value that is never printed: a token, a key, a platform's credential.

use std::fmt;

use super::reader::Node;

/// A secret; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it only stands for a variable that is not set, where that is no mistake.
    pub fn is_unset(&self) -> bool {
        self.0.starts_with(UNSET)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Stands for a variable that is not set, where that is no mistake: before the variable's name.
pub const UNSET: &str = "variable-not-set-";

/// The secret at `node`, which has to be known even where other variables need not be set.
pub(super) fn needed(node: &Node<'_>) -> Option<Secret> {
    let secret = read(node)?;
    if let Some(name) = secret.reveal().strip_prefix(UNSET) {
        let hint = format!("set `{name}`: it is what `{}` is taken from", node.path);
        node.wrong(format!("environment variable `{name}` is not set, but used"), hint);
        return None;
    }
    Some(secret)
}

/// The secret at `node`: `env:NAME`, or the value itself.
pub(super) fn read(node: &Node<'_>) -> Option<Secret> {
    resolve(node, node.text()?)
}

/// The secret that `text` of `node` stands for. Messages never contain it.
pub(super) fn resolve(node: &Node<'_>, text: &str) -> Option<Secret> {
    let Some(name) = text.strip_prefix("env:") else {
        if text.is_empty() {
            node.wrong(format!("`{}` is empty", node.path), "write `env:NAME` to take it from a variable");
        }
        return (!text.is_empty()).then(|| Secret::new(text));
    };
    if name.is_empty() || name.contains(['=', '\0']) {
        node.wrong(format!("`{}` names no variable", node.path), "write `env:` and a name, such as `env:SHOP_API_KEY`");
        return None;
    }
    let hint = format!("set `{name}` before starting: it is what `{}` is taken from", node.path);
    match (node.reader.surroundings.variables)(name) {
        None => node.wrong(format!("environment variable `{name}` is not set, but used"), hint),
        Some(value) if value.is_empty() => {
            node.wrong(format!("environment variable `{name}` is empty, but used"), hint);
        }
        Some(value) => return Some(Secret::new(value)),
    }
    None
}

const SHORT: usize = 16;

/// Doubts a secret that could be guessed.
pub(super) fn doubt_if_short(node: &Node<'_>, secret: &Secret, what: &str) {
    if secret.reveal().len() < SHORT {
        let hint = "whoever guesses it is let in; make one by `openssl rand -hex 32`";
        node.doubt(format!("{what} is shorter than {SHORT} characters"), hint);
    }
}
