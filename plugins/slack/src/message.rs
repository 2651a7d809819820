//! The message: text, or blocks with the text as what a notification shows.
//!
//! Source: "Sending messages using incoming webhooks" and "Reference: blocks" (`section`, `context`).

use serde::{Deserialize, Serialize};
use tidegate_plugin_sdk::{Context, Event, Rejection, Scalar, json};

use crate::config::Format;
use crate::template;

/// "Maximum length for the text in this field is 3000 characters" of a section; text alone may be longer.
const TEXT_CHARS_MAX: usize = 3_000;
/// Slack has no test facility: a test is told by its beginning.
const TEST: &str = "[Test] ";

/// All that a message is made of, beside its template.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) ctx: &'a Context,
    pub(crate) format: Format,
}

/// The properties that `plugin.toml` grants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Properties<'a> {
    #[serde(borrow)]
    pub(crate) coupon: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) method: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(crate) plan: Option<Scalar<'a>>,
}

/// The webhook's body.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<[Block; 2]>,
    /// Slack shall not fetch what an address in a message points to.
    unfurl_links: bool,
    unfurl_media: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Section { text: Markdown },
    Context { elements: [Markdown; 1] },
}

#[derive(Debug, Serialize)]
struct Markdown {
    r#type: &'static str,
    text: String,
}

/// The message for an event of this name.
///
/// # Errors
/// When the template uses a name that is not known.
pub(crate) fn of(template: &str, name: &str, source: Source<'_>) -> Result<Message, Rejection> {
    let Source { event, ctx, format } = source;
    let properties: Properties<'_> = json::properties(&event.properties);
    let mut text = if ctx.test_mode { TEST.to_owned() } else { String::new() };
    text.push_str(&template::fill(template, name, event, &properties)?);
    let text = cut(text);
    let blocks = (format == Format::Blocks).then(|| {
        let mut below = template::date(event);
        if !event.items.is_empty() {
            below.push_str(" · ");
            template::products(&event.items, &mut below);
        }
        let markdown = |text| Markdown { r#type: "mrkdwn", text };
        [Block::Section { text: markdown(text.clone()) }, Block::Context { elements: [markdown(cut(below))] }]
    });
    Ok(Message { text, blocks, unfurl_links: false, unfurl_media: false })
}

/// A text of at most so many characters, which does not end amid an escape or Slack's markup.
fn cut(mut text: String) -> String {
    let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) else { return text };
    text.truncate(end);
    let open = text.rfind(['&', '<']).filter(|at| {
        let closing = if text[*at..].starts_with('&') { ';' } else { '>' };
        !text[*at..].contains(closing)
    });
    text.truncate(open.unwrap_or(text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_escapes() {
        let long = |end: &str| cut("ä".repeat(TEXT_CHARS_MAX - 2) + end);
        assert_eq!(long("ab").chars().count(), TEXT_CHARS_MAX);
        assert_eq!(long("abc").chars().count(), TEXT_CHARS_MAX);
        for end in ["&amp;", "<!here>"] {
            assert_eq!(long(end).chars().count(), TEXT_CHARS_MAX - 2, "{end}");
        }
    }
}
