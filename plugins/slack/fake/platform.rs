//! A Slack incoming webhook: `POST /services/T…/B…/…`, which answers with one word.
//!
//! Sources: "Sending messages using incoming webhooks" (the address, the payload, the words of its errors), "Formatting
//! text for app surfaces" and "Reference: blocks" on docs.slack.dev. Text that was not escaped is a problem: Slack takes it
//! and shows something else. A message is taken or refused whole.

use serde_json::Value;

use crate::{Answer, Judgement, Platform, Received, Trouble};

/// A workspace with the webhook of `destination.toml`.
pub(crate) fn platform() -> Slack {
    Slack { webhook: "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX".to_owned() }
}

/// A workspace that knows one webhook.
#[derive(Debug, Clone)]
pub(crate) struct Slack {
    webhook: String,
}

/// "Messages with more than 40,000 characters are truncated."
const TEXT_CHARS_MAX: usize = 40_000;
const SECTION_CHARS_MAX: usize = 3_000;
const BLOCKS_MAX: usize = 50;
const KEYS: [&str; 8] =
    ["attachments", "blocks", "mrkdwn", "response_type", "text", "thread_ts", "unfurl_links", "unfurl_media"];

impl Slack {
    /// Why the address is refused.
    fn refusal(&self, request: &Received) -> Option<(u16, &'static str)> {
        let Some(webhook) = request.path.strip_prefix("/services/") else { return Some((404, "no_team")) };
        let same = |count: usize| webhook.split('/').take(count).eq(self.webhook.split('/').take(count));
        match (same(1), same(2), webhook == self.webhook) {
            (false, ..) => Some((404, "no_team")),
            (_, false, _) => Some((404, "no_service")),
            (.., false) => Some((403, "invalid_token")),
            _ if request.method != "POST" => Some((400, "invalid_payload")),
            _ => None,
        }
    }
}

impl Platform for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn judge(&self, request: &Received, _now_ms: i64) -> Judgement {
        let refused = |status: u16, word: &str| Judgement {
            answer: Answer::text(status, word.to_owned()),
            events: Vec::new(),
            problems: vec![format!("{status} {word}")],
        };
        if let Some((status, word)) = self.refusal(request) {
            return refused(status, word);
        }
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let Some(message) = request.json.as_ref().filter(|message| is_json && message.is_object()) else {
            return refused(400, "invalid_payload");
        };
        match problems(message) {
            Ok(problems) => Judgement { answer: Answer::text(200, "ok"), events: vec![message.clone()], problems },
            Err(word) => refused(400, word),
        }
    }

    fn trouble(&self, trouble: Trouble, _request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => Answer::text(429, "rate_limited").header("retry-after", "1"),
            Trouble::CredentialsRefused => Answer::text(403, "invalid_token"),
            Trouble::Unavailable => Answer::text(500, "rollup_error"),
            Trouble::FirstRefused => Answer::text(400, "invalid_payload"),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

/// What Slack says nothing of; or the word with which it refuses the message.
fn problems(message: &Value) -> Result<Vec<String>, &'static str> {
    let mut problems = Vec::new();
    for key in message.as_object().into_iter().flat_map(|map| map.keys()) {
        if !KEYS.contains(&key.as_str()) {
            problems.push(format!("{key} has no meaning in a webhook's message"));
        }
    }
    let text = match &message["text"] {
        Value::Null => "",
        Value::String(text) => text,
        _ => return Err("invalid_payload"),
    };
    if text.trim().is_empty() && message["blocks"].is_null() {
        return Err("no_text");
    }
    if text.trim().is_empty() {
        problems.push("without a text a notification is empty".to_owned());
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        problems.push("the text is truncated".to_owned());
    }
    problems.extend(unescaped(text));
    if !message["blocks"].is_null() {
        let blocks = message["blocks"].as_array().filter(|blocks| !blocks.is_empty() && blocks.len() <= BLOCKS_MAX);
        for block in blocks.ok_or("invalid_blocks")? {
            let texts: Vec<&Value> = match block["type"].as_str() {
                Some("section") => vec![&block["text"]],
                Some("context") => block["elements"].as_array().ok_or("invalid_blocks")?.iter().collect(),
                _ => return Err("invalid_blocks"),
            };
            for part in texts {
                let text = part["text"].as_str().filter(|_| part["type"] == "mrkdwn").ok_or("invalid_blocks")?;
                if text.is_empty() || text.chars().count() > SECTION_CHARS_MAX {
                    return Err("invalid_blocks");
                }
                problems.extend(unescaped(text));
            }
        }
    }
    Ok(problems)
}

/// A `&` that begins no entity, or a `<` that begins no markup of Slack's.
fn unescaped(text: &str) -> Option<String> {
    let entity = |rest: &str| ["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity));
    let markup = |rest: &str| ["<!", "<@", "<#", "<http", "<mailto:"].iter().any(|markup| rest.starts_with(markup));
    let wrong = text.char_indices().find(|(at, c)| match c {
        '&' => !entity(&text[*at..]),
        '<' => !markup(&text[*at..]),
        _ => false,
    });
    wrong.map(|(at, c)| format!("`{c}` at {at} is not escaped"))
}
