//! A platform behind OAuth: its token endpoint and its API in one fake, and plugins by hand that deliver to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tidegate_fakes::{Answer, Judgement, Platform, Received};

use crate::plugin::Parts;

/// What the account's client is known by: names and values of a destination's secrets.
pub const SECRETS: [(&str, &str); 4] = [
    ("client_id", "client-of-the-tests"),
    ("client_secret", "client/secret+of the tests"),
    ("refresh_token", "1//refresh-token-of-the-tests"),
    ("developer_token", "developer-token-of-the-tests"),
];

/// The access tokens that the account gives: this, and their number.
pub const ACCESS: &str = "access-token-of-the-tests-";

/// What a plugin by hand needs to deliver to the account.
const REFRESH: &str = r#"
scheme = "oauth2-refresh"
token_url = "https://accounts.platform.example/token"
client_id = "client_id"
client_secret = "client_secret"
refresh_token = "refresh_token"
headers = { developer-token = "developer_token" }
"#;

/// An account, as a test holds it and as its platform serves it.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<Desk>>);

#[derive(Debug, Default)]
struct Desk {
    /// The forms that asked for a token.
    forms: Vec<BTreeMap<String, String>>,
    /// What the token endpoint answers instead.
    instead: Option<(u16, Value)>,
    lifetime_s: Option<u64>,
    /// Tokens up to this number are not taken any more.
    revoked: usize,
}

impl Account {
    /// From now on the token endpoint answers this.
    pub fn tokens_fail(&self, status: u16, body: Value) {
        self.desk().instead = Some((status, body));
    }

    /// From now on it gives tokens again.
    pub fn tokens_work(&self) {
        self.desk().instead = None;
    }

    /// From now on tokens live so long.
    pub fn tokens_live_s(&self, lifetime_s: u64) {
        self.desk().lifetime_s = Some(lifetime_s);
    }

    /// Withdraws the tokens that were given until now.
    pub fn revoke(&self) {
        let mut desk = self.desk();
        desk.revoked = desk.forms.len();
    }

    /// Takes no token at all.
    pub fn refuse_all(&self) {
        self.desk().revoked = usize::MAX;
    }

    /// Takes whatever token it gives.
    pub fn accept_all(&self) {
        self.desk().revoked = 0;
    }

    /// The forms that asked for a token until now.
    pub fn forms(&self) -> Vec<BTreeMap<String, String>> {
        self.desk().forms.clone()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn token(&mut self, body: &[u8]) -> Answer {
        let form = String::from_utf8_lossy(body);
        let url = reqwest::Url::parse(&format!("https://form.example/?{form}")).expect("a form is a query");
        let form: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let right = SECRETS[..3].iter().all(|(name, value)| form.get(*name).is_some_and(|given| given == value));
        let grant = form.get("grant_type").map(String::as_str);
        let known = (grant == Some("refresh_token") && right)
            || (grant == Some("urn:ietf:params:oauth:grant-type:jwt-bearer") && form.contains_key("assertion"));
        self.forms.push(form);
        match &self.instead {
            Some((status, body)) => Answer::json(*status, body),
            None if !known => Answer::json(401, &json!({ "error": "invalid_client" })),
            None => {
                let token = format!("{ACCESS}{}", self.forms.len());
                let lifetime_s = self.lifetime_s.unwrap_or(3_600);
                let body = json!({ "access_token": token, "expires_in": lifetime_s, "token_type": "Bearer" });
                Answer::json(200, &body)
            }
        }
    }

    fn takes(&self, authorization: &str) -> bool {
        let number = authorization.strip_prefix("Bearer ").and_then(|token| token.strip_prefix(ACCESS));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        number.is_some_and(|number| number > self.revoked && number <= self.forms.len())
            || authorization.starts_with("OAuth ")
    }
}

impl Platform for Account {
    fn name(&self) -> &'static str {
        "account"
    }

    fn judge(&self, request: &Received, _: i64) -> Judgement {
        let mut desk = self.desk();
        let nothing = |answer| Judgement { answer, events: Vec::new(), problems: Vec::new() };
        if request.path == "/token" {
            return nothing(desk.token(&request.body));
        }
        let authorization = request.header("authorization").unwrap_or_default();
        if !desk.takes(authorization) {
            return nothing(Answer::json(401, &json!({ "error": "this token is not known", "given": authorization })));
        }
        let event = Value::String(String::from_utf8_lossy(&request.body).into_owned());
        Judgement { answer: Answer::json(200, &json!({ "taken": 1 })), events: vec![event], problems: Vec::new() }
    }
}

/// `classify` by status: 401 is refused credentials, from 500 it is to be tried again, all else is delivered.
const CLASSIFY: &str = r"(local $out i32)
    (local.set $out (call $alloc (i32.const 24)))
    (if (i32.eq (local.get 2) (i32.const 401)) (then
        (i32.store8 (local.get $out) (i32.const 4))
        (i32.store offset=8 (local.get $out) (i32.const 512))
        (i32.store offset=12 (local.get $out) (i32.const 8))))
    (if (i32.ge_u (local.get 2) (i32.const 500)) (then (i32.store8 (local.get $out) (i32.const 1))))
    (local.get $out)";

/// A plugin that posts each event's id to `/events`, with this `[auth]`.
pub fn plugin(auth: &str) -> Vec<u8> {
    let manifest = format!(
        r#"
name = "account"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "An account behind OAuth"
purposes = ["analytics"]
[endpoints.events]
url = "https://api.platform.example/events"
[auth]
{auth}
[limits]
memory_max = "1MiB"
output_max = "64KiB"
"#
    );
    Parts { classify: CLASSIFY, data: "HTTP 401", manifest: &manifest, ..Parts::default() }.build()
}

/// The same with a refresh token.
pub fn refreshing_plugin() -> Vec<u8> {
    plugin(REFRESH)
}

/// A destination of such a plugin, in a file of the configuration's directory.
pub fn destination(name: &str, url: &str, secrets: &[(&str, &str)]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|(name, value)| format!("{name} = {}", json!(value))).collect();
    format!(
        r#"
[[destination]]
name = "{name}"
site = "shop"
plugin = "./account.wasm"
secrets = {{ {} }}
base_url = "{url}"
allow_insecure = true
"#,
        secrets.join(", ")
    )
}
