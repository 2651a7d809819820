//! `tidegate destination check`: a test event is sent for real, and what is shown of it never holds a secret.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_fakes::{Behaviour, Fake};
use tidegate_tests::oauth::{self, ACCESS, Account, SECRETS};
use tidegate_tests::{Destinations, GA4_SECRET, META_TOKEN, Platforms, Process, Settings, WEBHOOK_SECRET};

/// A configuration with its platforms, and no gateway.
struct Site {
    platforms: Platforms,
    settings: Settings,
    dir: TempDir,
}

/// What a command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Site {
    async fn new(settings: Settings) -> Site {
        Site { platforms: Platforms::start().await, settings, dir: tempfile::tempdir().unwrap() }
    }

    /// Checks a destination; nothing of what is said has a secret in it.
    async fn check(&self, arguments: &[&str]) -> Said {
        let config = Process::configure(&self.settings, &self.platforms, self.dir.path());
        let all = [&["destination", "check", "--config", config.to_str().unwrap()], arguments].concat();
        let output = Process::command(&all).current_dir(self.dir.path()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said = Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        let all = format!("{}{}", said.out, said.err);
        let secrets = [META_TOKEN, GA4_SECRET, WEBHOOK_SECRET, ACCESS].into_iter();
        for secret in secrets.chain(SECRETS.map(|(_, value)| value)) {
            assert!(!all.contains(secret), "`{secret}` is in {all}");
            assert!(!all.contains(&secret.replace('/', "%2F")), "`{secret}` is in {all}");
        }
        said
    }
}

impl Said {
    /// What it said beside that there is no store yet, and so no ledger.
    fn unnoted(&self) -> String {
        let is_note =
            |line: &&str| line.starts_with("note: what is sent now will not be in the ledger: there is no queue at");
        assert_eq!(self.err.lines().filter(is_note).count(), 1, "{}", self.err);
        self.err.lines().filter(|line| !is_note(line)).map(|line| format!("{line}\n")).collect()
    }

    fn shows(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is not in {}{}", self.out, self.err);
        }
    }
}

/// Meta with a code for its test facility.
const META: &str = r#"
[[destination]]
name = "meta-test"
site = "shop"
plugin = "meta-capi"
config = { pixel_id = "123456789012345", test_event_code = "TEST12345" }
secrets = { access_token = "env:META_TOKEN" }
base_url = "$META"
allow_insecure = true
"#;

#[tokio::test]
async fn a_test_event_is_sent_and_shown_with_its_answer() {
    let site = Site::new(Settings::marketing()).await;
    let said = site.check(&["hook"]).await;
    assert_eq!((said.code, said.unnoted()), (Some(0), String::new()), "{}", said.out);
    let url = format!("POST {}/tidegate", site.platforms.webhook.url());
    let signature = "  webhook-signature: <redacted>";
    said.shows(&["hook (webhook 0.1.0), a test event: `purchase`", &url, signature, "\"test\": true", "203.0.113.7"]);
    said.shows(&["\nHTTP 2", "\ndelivered: the platform took it\n"]);
    let events = site.platforms.webhook.events();
    assert_eq!((events.len(), &events[0]["data"]["test"]), (1, &json!(true)));
    assert_eq!(site.platforms.webhook.problems(), Vec::<String>::new());
    assert!(!site.dir.path().join("tidegate.db").exists(), "the store is not even made");
}

#[tokio::test]
async fn every_platform_takes_the_sample_as_a_test_or_else_live() {
    let mut fakes = Vec::new();
    let mut more = String::new();
    for kind in tidegate_fakes::KINDS {
        let fake = kind.fake().start().await.unwrap();
        more.push_str(&kind.destination("shop", &fake.url()).unwrap());
        fakes.push((kind.plugin, fake));
    }
    let settings = Settings { more, destinations: Destinations::None, ..Settings::marketing() };
    let site = Site::new(settings).await;
    for (plugin, fake) in &fakes {
        let test = site.check(&[plugin]).await;
        if test.code != Some(0) {
            assert!(test.err.contains("the plugin refuses a test event"), "{plugin}: {}{}", test.out, test.err);
            let live = site.check(&[plugin, "--live"]).await;
            assert_eq!(live.code, Some(0), "{plugin}: {}{}", live.out, live.err);
        }
        assert_eq!(fake.problems(), Vec::<String>::new(), "{plugin}");
    }
}

#[tokio::test]
async fn a_secret_in_the_query_is_shown_by_its_name() {
    let site = Site::new(Settings { more: META.into(), ..Settings::marketing() }).await;
    let said = site.check(&["ga4"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    said.shows(&["api_secret=<secret api_secret>"]);
    let said = site.check(&["meta-test"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    said.shows(&["access_token=<secret access_token>", "\"test_event_code\": \"TEST12345\""]);
    assert_eq!(site.platforms.meta.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_platform_without_a_test_facility_is_said_so_and_live_sends_all_the_same() {
    let site = Site::new(Settings::marketing()).await;
    let said = site.check(&["meta"]).await;
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("error: nothing was sent: the plugin refuses a test event: invalid: "), "{}", said.err);
    assert!(said.err.contains("hint: `--live` sends it as a real event, which the platform counts"), "{}", said.err);
    assert_eq!(site.platforms.meta.requests_count(), 0);
    let said = site.check(&["meta", "--live"]).await;
    assert_eq!((said.code, said.unnoted()), (Some(0), "warning: it counts as a real event\n".to_owned()));
    said.shows(&["a live event: `purchase`", "delivered: the platform took it"]);
    assert_eq!(site.platforms.meta.events().len(), 1);
}

#[tokio::test]
async fn what_the_platform_says_against_it_is_shown_without_what_it_repeats() {
    let site = Site::new(Settings { more: META.into(), ..Settings::marketing() }).await;
    let message = format!("Error validating access token: {META_TOKEN} has expired");
    let error = json!({ "error": { "message": message, "type": "OAuthException", "code": 190 } });
    site.platforms.meta.always(Behaviour::json(400, &error));
    let said = site.check(&["meta-test"]).await;
    assert_eq!((said.code, said.unnoted()), (Some(1), String::new()));
    said.shows(&["HTTP 400", "<secret access_token> has expired", "\ncredentials refused: "]);
    said.shows(&["; the gateway would park the destination"]);
    site.platforms.meta.always(Behaviour::unavailable("7"));
    let said = site.check(&["meta-test"]).await;
    assert_eq!(said.code, Some(1));
    said.shows(&["not taken: HTTP 503; the gateway would send it again after 7 s, as the platform asks"]);
}

#[tokio::test]
async fn an_access_token_is_asked_for_and_neither_it_nor_its_price_is_shown() {
    let account = Account::default();
    let fake = Fake::start(account.clone()).await.unwrap();
    let more = oauth::destination("account", &fake.url(), &SECRETS);
    let files = vec![("account.wasm", oauth::refreshing_plugin())];
    let site = Site::new(Settings { more, files, ..Settings::hook() }).await;
    let said = site.check(&["account"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let (token, events) = (format!("POST {}/token", fake.url()), format!("POST {}/events", fake.url()));
    said.shows(&[&token, "  <redacted>\n", &events, "  authorization: Bearer <redacted>"]);
    said.shows(&["  developer-token: <secret developer_token>", "delivered: the platform took it"]);
    // This platform repeats the token that it does not know.
    account.refuse_all();
    let said = site.check(&["account"]).await;
    assert_eq!(said.code, Some(1));
    said.shows(&["\"given\": \"Bearer <redacted>\"", "credentials refused: HTTP 401"]);
    account.tokens_fail(400, json!({ "error": "invalid_grant", "error_description": SECRETS[2].1 }));
    let said = site.check(&["account"]).await;
    assert_eq!(said.code, Some(1));
    said.shows(&["HTTP 400", "answered `invalid_grant` (…); the gateway would park the destination"]);
}

#[tokio::test]
async fn a_machine_gets_the_same_as_json() {
    let site = Site::new(Settings::marketing()).await;
    let said = site.check(&["hook", "--event", "add_to_cart", "--json"]).await;
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let expected = (&json!("delivered"), &json!("test"), &json!("add_to_cart"));
    assert_eq!((&report["outcome"], &report["mode"], &report["event"]), expected);
    let wire = &report["requests"][0]["wire"][0];
    assert_eq!((&wire["method"], &report["requests"][0]["delivered"]), (&json!("POST"), &json!(true)));
    assert!(wire["answer"]["answered"]["status"].is_u64(), "{report:#}");
}

#[tokio::test]
async fn an_event_of_ones_own_comes_from_a_file() {
    let own = json!({ "event": "Order Completed", "message_id": "my-own", "customer_id": "c", "consent": "marketing" });
    let files = vec![("own.json", own.to_string().into_bytes()), ("bad.json", b"{}".to_vec())];
    let site = Site::new(Settings { files, ..Settings::marketing() }).await;
    let said = site.check(&["hook", "--event", "own.json"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    said.shows(&["`purchase`, id my-own", "  webhook-id: my-own"]);
    let said = site.check(&["hook", "--event", "bad.json"]).await;
    assert_eq!(said.code, Some(65));
    assert!(said.err.starts_with("error: the event `bad.json` would be refused: event: expected"), "{}", said.err);
    assert_eq!(site.check(&["hook", "--event", "none.json"]).await.code, Some(66));
}

#[tokio::test]
async fn an_event_that_does_not_go_there_is_not_sent() {
    let hook = tidegate_tests::HOOK.replace("/tidegate\" }", "/tidegate\", events = [\"refund\"] }");
    let site = Site::new(Settings { more: hook, ..Settings::hook() }).await;
    let said = site.check(&["hook"]).await;
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let expected = "error: nothing was sent: the event does not go to `hook`: filtered: `purchase` is not in `events`";
    assert!(said.err.contains(expected), "{}", said.err);
    assert_eq!(site.platforms.webhook.requests_count(), 0);
}

#[tokio::test]
async fn what_cannot_be_checked_is_said_before_anything_is_sent() {
    let site =
        Site::new(Settings { more: tidegate_tests::HOOK.replace("WEBHOOK_SECRET", "NOT_SET"), ..Settings::hook() })
            .await;
    let said = site.check(&["hok"]).await;
    assert_eq!(said.code, Some(66));
    assert_eq!(said.err, "error: unknown destination `hok`\nhint: did you mean `hook`?\n");
    let said = site.check(&["hook"]).await;
    assert_eq!(said.code, Some(64));
    assert!(
        said.err.contains("error: environment variable `NOT_SET` is not set\nhint: set it: secret"),
        "{}",
        said.err
    );
}
