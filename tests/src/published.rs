//! What platforms publish that checks requests, asked by the Python that `make clients` has installed it for.
//!
//! No platform's description of its API is kept here. Some publish clients whose models are made from it, or say the
//! same by hand: they are installed as they are, and `clients/validate_requests.py` asks them. [`MODELS`] names them.
//! `clients/validate_answers.py` has Google's say of the answers that our fixtures give in its name.
//! Whoever receives the gateway's webhooks verifies them with a library of Standard Webhooks, as
//! `clients/verify_webhooks.py` does.
//!
//! The others have nothing that could be asked; their fakes hold what their documents say.
//! - Snap and Mixpanel publish descriptions in repositories only: no package of theirs has them, but Snap's for Java.
//!   Snap's for Python is of version 2, whose request is another.
//! - BigQuery's is in Google's client for all its APIs: 17 MB, for one request of four fields.
//! - Kafka's REST proxy publishes one of its version 3, and the plugin speaks version 2.
//! - TikTok's, Microsoft's and X's clients are for managing advertisements, and do not know where conversions go to.
//! - LinkedIn's client has no models, and Reddit has none. Neither has Google Analytics for its Measurement Protocol.
//! - Segment's and PostHog's clients take any event as it is given; so does ClickHouse: its tables are the operator's.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tidegate_fakes::Received;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::{PATIENCE, python};

/// Plugin, and whose model is asked.
pub const MODELS: [(&str, &str); 7] = [
    ("amplitude", "amplitude-analytics: the event of its client"),
    ("google-ads", "google-ads: protocol buffers, of the version that the address names"),
    ("google-data-manager", "google-ads-datamanager: protocol buffers, of the version that the address names"),
    ("klaviyo", "klaviyo-api: generated from its OpenAPI description, of the revision that the request names"),
    ("meta-capi", "facebook-business: the server-side event of its client"),
    ("pinterest", "pinterest-generated-client: generated from its OpenAPI description"),
    ("slack", "slack-sdk: the webhook and the blocks of its client"),
];

/// What `validate_requests.py` is asked of a request that a fake received.
pub fn question(plugin: &str, received: &Received) -> Value {
    let headers = received.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: serde_json::Map<String, Value> =
        headers.map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "plugin": plugin,
        "url": format!("https://platform{}", received.path),
        "headers": headers,
        "body": received.json,
    })
}

/// A checker's complaints, for each question in turn.
///
/// # Panics
/// When it fails, or was not installed.
pub async fn ask(checker: &str, questions: &[Value]) -> Vec<Vec<String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(checker);
    let mut command = Command::new(python());
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("Python starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    // A checker that ends early is told by what it printed.
    let write = async move { drop(stdin.write_all(lines.as_bytes()).await) };
    // It loads seven platforms' models, each a second's work on a busy machine.
    let both = async { tokio::join!(child.wait_with_output(), write).0 };
    let output = tokio::time::timeout(PATIENCE * 4, both).await.expect("the checker ends in time");
    let output = output.expect("the checker's output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "the checker failed: {errors}");
    let verdicts = String::from_utf8(output.stdout).expect("text");
    let verdicts: Vec<_> = verdicts.lines().map(|line| serde_json::from_str(line).expect("a list")).collect();
    assert_eq!(verdicts.len(), questions.len(), "a verdict for each question");
    verdicts
}
