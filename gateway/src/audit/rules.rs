//! The kinds of findings: a table that SARIF, the page and the guide are made from.

use serde::Serialize;

/// How much a finding matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It would not be loaded.
    Error,
    /// Somebody should look before it is approved.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// A kind of finding.
#[derive(Debug)]
pub struct Rule {
    pub id: &'static str,
    pub level: Level,
    /// In a few words.
    pub title: &'static str,
    /// What it means, and what to do.
    pub help: &'static str,
}

const fn rule(id: &'static str, level: Level, title: &'static str, help: &'static str) -> Rule {
    Rule { id, level, title, help }
}

pub(super) const UNREADABLE: Rule = rule(
    "unreadable",
    Level::Error,
    "It is no WebAssembly component",
    "Nothing can be said of these bytes, and the gateway refuses them. Ask whoever built them for a component.",
);
pub(super) const MALFORMED_MANIFEST: Rule = rule(
    "malformed-manifest",
    Level::Error,
    "Its manifest is missing or wrong",
    "The manifest says what a plugin sees and where it sends; without a sound one the gateway refuses it.",
);
pub(super) const UNKNOWN_WORLD: Rule = rule(
    "unknown-world",
    Level::Error,
    "It was built for another contract",
    "The gateway runs plugins of the contract that it knows. Rebuild it with the plugin SDK of the gateway's version.",
);
pub(super) const IMPORT: Rule = rule(
    "import",
    Level::Error,
    "It imports something from outside of the sandbox",
    "A plugin imports nothing: no clock, no files, no network, no chance. The gateway refuses one that does.",
);
pub(super) const CONTRACT: Rule = rule(
    "contract",
    Level::Error,
    "It does not export the contract's interface",
    "The gateway calls `transform` and `classify` of the contract's interface, and finds none.",
);
pub(super) const EXTRA_EXPORT: Rule = rule(
    "extra-export",
    Level::Warning,
    "It exports more than the contract's interface",
    "The gateway never calls it; ask what it is for.",
);
pub(super) const START_MEMORY: Rule = rule(
    "start-memory",
    Level::Error,
    "It starts with more memory than its manifest allows",
    "The gateway refuses it: either the manifest or the component is wrong.",
);
pub(super) const PLAIN_PERSONAL: Rule = rule(
    "plain-personal-identifier",
    Level::Warning,
    "It sees something about a person in the clear",
    "Most advertising platforms take a digest. Plain values are for those that do not, such as a mailing service or a \
     warehouse of your own: see that the reason given is one.",
);
pub(super) const ONLINE_IDENTIFIER: Rule = rule(
    "online-identifier",
    Level::Note,
    "It sees an address or an identifier of a browser",
    "An IP address, a cookie or a visitor's id is personal data in most laws, though it names nobody.",
);
pub(super) const WILDCARD: Rule = rule(
    "wildcard-grant",
    Level::Warning,
    "It sees a whole family of fields",
    "Whatever a site sends under such a name reaches the plugin, names that nobody has thought of yet included. See that \
     the reason given needs all of them.",
);
pub(super) const CONFIGURED_HOST: Rule = rule(
    "configured-host",
    Level::Warning,
    "The configuration says to which host it sends",
    "The manifest does not pin the host: whoever writes the gateway's configuration chooses where the data goes.",
);
pub(super) const LARGE_MEMORY: Rule = rule(
    "large-memory",
    Level::Warning,
    "It may use much memory",
    "Every event under way has an instance of its own, and each may use as much. Above 16 MiB somebody should ask why.",
);
pub(super) const LONG_TIME: Rule = rule(
    "long-running-time",
    Level::Warning,
    "It may run for long",
    "A call takes a core for itself. Above 100 ms somebody should ask why.",
);
pub(super) const OLD_EVENTS: Rule = rule(
    "old-events",
    Level::Note,
    "It is given events that are older than a month",
    "A visitor may have withdrawn the consent in the meantime, and replays reach further back.",
);
pub(super) const OPTIONAL_AUTH: Rule = rule(
    "optional-auth",
    Level::Warning,
    "Its requests may go out without credentials",
    "A destination that leaves the secrets out sends to whoever answers there.",
);
pub(super) const NO_AUTH: Rule = rule(
    "no-auth",
    Level::Note,
    "Its requests carry no credentials",
    "The platform knows the account by something in the request instead.",
);
pub(super) const SECRET_IN_URL: Rule = rule(
    "secret-in-url",
    Level::Note,
    "The gateway puts a secret into the URL",
    "The platform asks for it so. URLs end in the logs of proxies between here and there: keep those from writing them.",
);

/// Every rule.
pub const RULES: &[Rule] = &[
    UNREADABLE,
    MALFORMED_MANIFEST,
    UNKNOWN_WORLD,
    IMPORT,
    CONTRACT,
    START_MEMORY,
    EXTRA_EXPORT,
    PLAIN_PERSONAL,
    WILDCARD,
    CONFIGURED_HOST,
    LARGE_MEMORY,
    LONG_TIME,
    OPTIONAL_AUTH,
    ONLINE_IDENTIFIER,
    OLD_EVENTS,
    NO_AUTH,
    SECRET_IN_URL,
];
