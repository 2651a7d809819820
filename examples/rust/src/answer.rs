//! What Kompas's answer means. With status 200 it still judges each conversion: `results` has one code for each.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Verdict, classify};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    /// Why none of them was looked at: `account_suspended`.
    error: Option<String>,
    results: Option<Vec<Judged>>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Judged {
    code: u32,
    #[serde(default)]
    message: String,
}

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer = serde_json::from_slice(&response.body).unwrap_or_default();
    match (response.status, answer) {
        (200, Answer { error: Some(error), .. }) => Verdict::Credentials(format!("Kompas: {error}")),
        (200, Answer { results: Some(results), .. }) if results.len() == count as usize => {
            Verdict::Each(results.into_iter().map(outcome).collect())
        }
        // It says in its own way when to come back.
        (429, Answer { retry_after_ms: Some(after_ms), .. }) => Verdict::Retry(Some(after_ms)),
        _ => classify::by_status(response, count, ctx),
    }
}

fn outcome(judged: Judged) -> Outcome {
    match judged.code {
        // 1: it has this `dedup_key` already.
        0 | 1 => Outcome::Delivered,
        // It could not look just now.
        90..=99 => Outcome::Retry(None),
        code => Outcome::Reject(format!("Kompas {code}: {}", judged.message)),
    }
}
