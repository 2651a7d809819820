//! Slack: an event that the configuration has a message for, as a POST to an incoming webhook.
//!
//! Owns the filling in of messages and what Slack's answers mean. Reads nothing that identifies a visitor. Sources:
//! "Sending messages using incoming webhooks", "Formatting text for app surfaces" and "Rate limits" on docs.slack.dev,
//! and "Improving error conditions for Incoming Webhooks" in Slack's changelog.

mod answer;
mod config;
mod message;
mod template;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

/// The destination.
pub struct Slack;
tidegate_plugin_sdk::export!(Slack);

impl Plugin for Slack {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config<'_> = json::config(&ctx)?;
        let name = event.canonical_name();
        let template = config.messages.iter().find(|(known, _)| &***known == name).map(|(_, template)| &**template);
        let Some(template) = template.filter(|template| !template.trim().is_empty()) else {
            return Err(Rejection::skip(["`", name, "` has no message in `messages`"].concat()));
        };
        let message = message::of(template, name, message::Source { event: &event, ctx: &ctx, format: config.format })?;
        Ok(vec![Request::json("messages", &message)?])
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
