//! What Slack's answers mean: a status, and one word as the body.
//!
//! Sources: "Sending messages using incoming webhooks", section "Handling errors"; "Improving error conditions for Incoming
//! Webhooks"; "Rate limits": "1 per second. Short bursts >1 allowed."

use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// Slack's allowance for one webhook.
const THROTTLED_MS: u64 = 1_000;

/// Words that say that nothing gets through until somebody mends the webhook or its channel, and how.
const OPERATOR: &[(&str, &str)] = &[
    ("action_prohibited", "an administrator forbids this webhook to post there"),
    ("channel_is_archived", "the webhook's channel is archived: bring it back, or make a webhook for another"),
    ("channel_not_found", "the webhook's channel is gone: make a webhook for another"),
    ("invalid_token", "the webhook's address is wrong: copy it again from the Slack app, Incoming Webhooks"),
    ("no_active_hooks", "the webhook is switched off: make a new one"),
    ("no_service", "the webhook is removed, or its app is: make a new one"),
    ("no_service_id", "the webhook's address is wrong: copy it again from the Slack app, Incoming Webhooks"),
    ("no_team", "the webhook's workspace is gone, or its address is wrong"),
    ("posting_to_general_channel_denied", "only some may post to the workspace's general channel: choose another"),
    ("team_disabled", "the webhook's workspace is disabled"),
];

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let word = classify::excerpt(&response.body);
    if let Some((_, hint)) = OPERATOR.iter().find(|(known, _)| *known == word) {
        return Verdict::Credentials([hint, " (", &classify::reason(response), ")"].concat());
    }
    match response.status {
        200..=299 if word == "ok" => Verdict::Delivered,
        // Not from Slack: a proxy's page. The message is worth more than the risk that it comes twice.
        200..=299 => Verdict::Retry(None),
        429 => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS))),
        // The address is the credential: one that Slack does not know is none.
        404 | 410 => Verdict::Credentials(
            ["Slack knows no such webhook: copy its address again (", &classify::reason(response), ")"].concat(),
        ),
        _ => classify::by_status(response, count, ctx),
    }
}
