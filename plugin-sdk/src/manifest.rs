//! The manifest of a plugin, `plugin.toml`: what it may see, where its requests may go, and under which consent.
//!
//! Owns the manifest's types, its parsing and its checks. Does not execute a plugin, and knows nothing of one's code.

mod check;
mod config;
mod embed;
mod fixtures;
mod join;
mod limits;
mod outgoing;
mod template;

use std::collections::BTreeMap;

pub use check::Mistake;
pub use embed::{SECTION, embed, extract};
#[cfg(feature = "testing")]
pub(crate) use fixtures::json_files;
pub use fixtures::{FIXTURES_BYTES_MAX, FIXTURES_MAX, FIXTURES_SECTION, Fixtures, FixturesError};
pub use join::{Opened, open_array};
pub use limits::{Batch, Duration, Instance, Join, Limits, Size};
pub use outgoing::Outgoing;
use serde::{Deserialize, Serialize};
pub use template::Parameters;

/// The world that this SDK's bindings implement.
pub const WORLD: &str = "tidegate:destination@0.2.0";
/// The world before it, which gateways of this version run as well.
pub const WORLD_BEFORE: &str = "tidegate:destination@0.1.0";
/// Every world that gateways of this version run, the newest first.
pub const WORLDS: [&str; 2] = [WORLD, WORLD_BEFORE];

/// JSON Schema (draft 7) of a `plugin.toml`, for editors: `#:schema` in its first line.
pub const SCHEMA: &str = include_str!("../../docs/schemas/plugin.json");

/// A whole `plugin.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name: lower-case letters, digits and hyphens.
    pub name: String,
    /// The plugin's own version.
    pub version: semver::Version,
    /// The contract it was built for, such as `tidegate:destination@0.2.0`.
    pub world: String,
    /// One line that says what it delivers to.
    pub summary: String,
    /// Where the platform shows events that are tests, for people: `Events Manager, Test events`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_view: Option<String>,
    /// Every purpose that an event's visitor must have granted for it to come here. At least one.
    pub purposes: Vec<Purpose>,
    /// Where its requests may go, by the name that a request gives.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// How the gateway authenticates a request after the plugin has returned. None: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The fields of an event that the plugin sees; every other is absent. A name that ends in `*` grants all that
    /// begin like it: `click.*`, `cookie._ga_*`, `user.*`.
    #[serde(default)]
    pub reads: BTreeMap<String, Read>,
    /// How the gateway joins the requests of several events.
    #[serde(default)]
    pub batch: Batch,
    /// What the plugin may use, and how old an event may be.
    #[serde(default)]
    pub limits: Limits,
    /// What the platform finds a person or a conversion by, and how much each is worth to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<Quality>,
    /// JSON Schema of the plugin's own configuration.
    #[serde(default = "empty_schema")]
    pub config: serde_json::Value,
}

/// What a visitor can consent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Measuring the site's use.
    Analytics,
    /// Storing and reading advertising identifiers.
    AdStorage,
    /// Sending user data to an advertising platform.
    AdUserData,
    /// Personalised advertising.
    AdPersonalization,
}

/// One address that a plugin's requests may go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The URL, with `{parameters}`. One in the host, or one that is the whole URL, comes from the configuration only;
    /// one in the path comes from the request or else from the configuration.
    pub url: String,
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
}

/// The methods that a plugin's request may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`, the default.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `GET`.
    Get,
    /// `DELETE`.
    Delete,
}

/// How the gateway authenticates a request. Each `secret` names an entry of the destination's `secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Bearer <secret>`.
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// A header of its own.
    Header {
        /// The header's name.
        header: String,
        /// The secret's name.
        secret: String,
    },
    /// `Authorization: Basic`, the user being a secret and the password another, or empty.
    Basic {
        /// The name of the secret that is the user.
        user: String,
        /// The name of the secret that is the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// Whether a destination may give neither: its requests are not authenticated then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        optional: bool,
    },
    /// A parameter of the query.
    Query {
        /// The parameter's name.
        parameter: String,
        /// The secret's name.
        secret: String,
    },
    /// The rest of the URL's path, as of a webhook whose address is its credential.
    Path {
        /// The secret's name.
        secret: String,
    },
    /// A field of the JSON body.
    JsonField {
        /// A JSON pointer to the field, such as `/api_key`.
        pointer: String,
        /// The secret's name.
        secret: String,
    },
    /// `Authorization: Bearer` with an access token, which a refresh token is exchanged for (RFC 6749, section 6).
    Oauth2Refresh {
        /// Where: `https://oauth2.googleapis.com/token`.
        token_url: String,
        /// The name of the secret that is the client's id.
        client_id: String,
        /// The name of the secret that is the client's secret.
        client_secret: String,
        /// The name of the secret that is the refresh token.
        refresh_token: String,
        /// Further headers, by their names, and the names of the secrets that they carry; one whose secret a destination
        /// does not give is not sent.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// `Authorization: Bearer` with an access token, which a JWT that a service account's key signed is exchanged for
    /// (RFC 7523).
    Oauth2ServiceAccount {
        /// Where: `https://oauth2.googleapis.com/token`.
        token_url: String,
        /// What the token is for: `https://www.googleapis.com/auth/bigquery.insertdata`.
        scopes: Vec<String>,
        /// The name of the secret that is the key's file, the JSON that Google gives.
        key: String,
        /// Further headers, by their names, and the names of the secrets that they carry; one whose secret a destination
        /// does not give is not sent.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// A signature of the request by HMAC-SHA1 in `Authorization: OAuth` (RFC 5849).
    Oauth1 {
        /// The name of the secret that is the consumer's key.
        consumer_key: String,
        /// The name of the secret that is the consumer's secret.
        consumer_secret: String,
        /// The name of the secret that is the token.
        token: String,
        /// The name of the secret that is the token's secret.
        token_secret: String,
    },
    /// The signature headers of <https://www.standardwebhooks.com>. Several secrets, separated by spaces, all sign:
    /// that is how a key is rotated.
    StandardWebhooks {
        /// The secret's name.
        secret: String,
    },
}

impl Auth {
    /// Whether a destination may leave its secrets out, all of them.
    pub fn is_optional(&self) -> bool {
        matches!(self, Auth::Basic { optional: true, .. })
    }

    /// Where an access token is asked for, of a scheme that needs one.
    pub fn token_url(&self) -> Option<&str> {
        match self {
            Auth::Oauth2Refresh { token_url, .. } | Auth::Oauth2ServiceAccount { token_url, .. } => Some(token_url),
            _ => None,
        }
    }

    /// The names of the secrets that a destination may give or leave out, one by one.
    pub fn optional_secrets(&self) -> Vec<&str> {
        match self {
            Auth::Oauth2Refresh { headers, .. } | Auth::Oauth2ServiceAccount { headers, .. } => {
                headers.values().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The names of the secrets that the scheme needs.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Auth::Bearer { secret }
            | Auth::Header { secret, .. }
            | Auth::Path { secret }
            | Auth::Query { secret, .. }
            | Auth::JsonField { secret, .. }
            | Auth::StandardWebhooks { secret } => vec![secret],
            Auth::Basic { user, password, .. } => std::iter::once(user).chain(password).map(String::as_str).collect(),
            Auth::Oauth2Refresh { client_id, client_secret, refresh_token, .. } => {
                vec![client_id, client_secret, refresh_token]
            }
            Auth::Oauth2ServiceAccount { key, .. } => vec![key],
            Auth::Oauth1 { consumer_key, consumer_secret, token, token_secret } => {
                vec![consumer_key, consumer_secret, token, token_secret]
            }
        }
    }
}

/// One granted field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The form that it is handed over in.
    #[serde(rename = "as")]
    pub form: Form,
    /// What is done to the value first, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize: Vec<Normalizer>,
    /// What the plugin needs it for: for the people who approve it.
    pub why: String,
}

/// One thing that the platform makes use of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// What it is, for people: `e-mail address`.
    pub name: String,
    /// The granted fields, as `[reads]` names them, any of which gives it.
    pub any: Vec<String>,
    /// How much it is worth beside the others: 1 to 100.
    pub worth: u32,
    /// The canonical names of the events that it matters for; all where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// The form in which a granted field is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// SHA-256 as 64 lower-case hexadecimal digits; a value that already is such a digest is passed on as it is.
    Sha256,
    /// As it is.
    Plain,
}

/// The vocabulary of normalising, applied to text before it is hashed or handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalizer {
    /// Without white space at both ends.
    Trim,
    /// Lower-case, by Unicode.
    Lowercase,
    /// Upper-case, by Unicode.
    Uppercase,
    /// Without any white space.
    NoWhitespace,
    /// Without punctuation and symbols; letters, digits and white space of any script stay.
    NoPunctuation,
    /// Only ASCII digits.
    Digits,
    /// Without zeros at the start.
    NoLeadingZeros,
    /// Only `a` to `z` and `0` to `9`.
    AsciiAlphanumeric,
    /// `+` and digits: separators are dropped, a `00` prefix is replaced.
    E164,
    /// The part before the first `-`.
    BeforeHyphen,
    /// A code of two letters; anything longer becomes empty, for the start of a name is no code.
    TwoLetters,
    /// The first letter.
    FirstLetter,
    /// A date as `YYYYMMDD`, from ISO 8601 or already in this form; anything else becomes empty.
    DateYyyymmdd,
    /// In the local part of an e-mail address, drops what follows a `+`.
    EmailNoTag,
    /// In the local part of an e-mail address, drops dots.
    EmailNoDots,
    /// As `email-no-dots`, but for gmail.com and googlemail.com only.
    EmailNoDotsGmail,
    /// In the local part of an e-mail address, keeps only ASCII letters and digits.
    EmailAlphanumeric,
}

impl Manifest {
    /// Parses and checks a `plugin.toml`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line where one is known.
    pub fn parse(text: &str) -> Result<Manifest, Vec<Mistake>> {
        check::parse(text)
    }

    /// A destination's configuration with the defaults of the `[config]` schema filled in, at every depth: what the
    /// plugin gets to see. Does not check it against the schema; that is the gateway's.
    pub fn config_with_defaults(&self, mut config: serde_json::Value) -> serde_json::Value {
        config::fill(&self.config, &mut config);
        config
    }
}

fn empty_schema() -> serde_json::Value {
    serde_json::json!({ "type": "object", "additionalProperties": false })
}
