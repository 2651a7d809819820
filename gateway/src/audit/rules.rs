//! The kinds of findings: a table that SARIF, the page and the guide are made from.

use serde::Serialize;

/// How much a finding matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It would not be loaded, or data leaves that was not granted.
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
pub(super) const MALFORMED_FIXTURES: Rule = rule(
    "malformed-fixtures",
    Level::Error,
    "The fixtures in it cannot be read",
    "What its author tested it with is damaged, too large or of another version; the gateway refuses it.",
);
pub(super) const UNKNOWN_WORLD: Rule = rule(
    "unknown-world",
    Level::Error,
    "It was built for another contract",
    "The gateway runs plugins of the contract that it knows. Rebuild it with the plugin SDK of the gateway's version.",
);
pub(super) const BAD_SIGNATURE: Rule = rule(
    "bad-signature",
    Level::Error,
    "Its signature does not count",
    "Whoever made the signature did not sign these bytes, or is nobody that the configuration knows. The gateway looks \
     at nothing else of them.",
);
pub(super) const RETIRED_KEY: Rule = rule(
    "retired-key",
    Level::Warning,
    "It is signed with a retired key",
    "The gateway runs it only where the lock approved exactly this file before. Ask the publisher for a new signature.",
);
pub(super) const UNSIGNED: Rule = rule(
    "unsigned",
    Level::Note,
    "Nobody signed it",
    "Only the lock's digest says that it is what was reviewed. Ask the publisher for a signature.",
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
    "Whatever a site sends under such a name reaches the plugin, names that nobody has thought of yet included. See \
     that the reason given needs all of them.",
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
pub(super) const SHARED_INSTANCE: Rule = rule(
    "shared-instance",
    Level::Warning,
    "Events of one request share an instance",
    "It could carry what it saw of one event into what it sends of the next, of another person if a backend sent both. \
     It saves the start of an instance for each event; see that the plugin is slow enough to need that.",
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
pub(super) const NO_FIXTURES: Rule = rule(
    "no-fixtures",
    Level::Note,
    "It carries no fixtures",
    "Nothing shows what it was tested with, and `--fixtures` and `--canary` have nothing to run. Ask for a component \
     that `tidegate plugin build` made of a folder with fixtures.",
);
pub(super) const CANARY_LEAK: Rule = rule(
    "canary-leak",
    Level::Error,
    "Marked data left in a form that was not granted",
    "A field that was not granted, or only as a digest, was found in a request. A plugin cannot have it: report it as \
     a fault of the gateway, and do not run the plugin until it is mended.",
);
pub(super) const FAILING_FIXTURES: Rule = rule(
    "failing-fixtures",
    Level::Warning,
    "It does not give what its fixtures say",
    "What its author says that it does is not what it does: ask for a component and fixtures of one version.",
);
pub(super) const UNUSED_GRANT: Rule = rule(
    "unused-grant",
    Level::Warning,
    "It sees a field that changes nothing",
    "Without the field it gives the same for every fixture. Either the grant is not needed, or no fixture shows what \
     for: ask which.",
);
pub(super) const CANARY_SILENT: Rule = rule(
    "canary-silent",
    Level::Warning,
    "It made no request of marked data",
    "Every marked event was skipped or refused, so the canary says nothing. Ask for fixtures with events that it \
     reports.",
);
pub(super) const PERSONAL_IN_URL: Rule = rule(
    "personal-in-url",
    Level::Note,
    "It puts something about a person into the URL",
    "It may have the value, but URLs end in the logs of proxies between here and there. Prefer a platform's body.",
);

/// Every rule.
pub const RULES: &[Rule] = &[
    UNREADABLE,
    MALFORMED_MANIFEST,
    MALFORMED_FIXTURES,
    UNKNOWN_WORLD,
    BAD_SIGNATURE,
    IMPORT,
    CONTRACT,
    START_MEMORY,
    EXTRA_EXPORT,
    PLAIN_PERSONAL,
    WILDCARD,
    CONFIGURED_HOST,
    LARGE_MEMORY,
    LONG_TIME,
    SHARED_INSTANCE,
    OPTIONAL_AUTH,
    RETIRED_KEY,
    ONLINE_IDENTIFIER,
    OLD_EVENTS,
    NO_AUTH,
    SECRET_IN_URL,
    NO_FIXTURES,
    UNSIGNED,
    CANARY_LEAK,
    FAILING_FIXTURES,
    UNUSED_GRANT,
    CANARY_SILENT,
    PERSONAL_IN_URL,
];
