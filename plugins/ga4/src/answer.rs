//! What Google's answers mean.
//!
//! Source: "Measurement Protocol reference", section "Transport": "The Measurement Protocol returns a 2xx status code if
//! the HTTP request is received. It doesn't return an error code if the payload is malformed, or if the data is
//! incorrect or not processed". So a 2xx is all that can be known, and what is wrong must be found before sending.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// An answer of the validation server ("Validate events"); the collecting one answers nothing.
#[derive(Deserialize)]
struct Validation<'a> {
    #[serde(borrow, rename = "validationMessages")]
    messages: Vec<Message<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow, rename = "fieldPath")]
    field_path: Cow<'a, str>,
    #[serde(borrow)]
    description: Cow<'a, str>,
}

/// "Do not resend a non-2xx unchanged" is about requests that are at fault: 4xx, which are rejected, or sent singly when a
/// batch was refused. 408, 429 and 5xx say that the request was not received at all, and it is sent again.
pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    if (200..300).contains(&response.status) {
        return match serde_json::from_slice::<Validation<'_>>(&response.body) {
            Ok(validation) if !validation.messages.is_empty() && count > 1 => Verdict::Split,
            Ok(validation) if !validation.messages.is_empty() => Verdict::Reject(reason(&validation)),
            _ => Verdict::Delivered,
        };
    }
    if response.status == 400 && count > 1 {
        return Verdict::Split;
    }
    classify::by_status(response, count, ctx)
}

/// The first three messages: `GA4's validation: events[0].name: …; …`.
fn reason(validation: &Validation<'_>) -> String {
    let told = validation.messages.iter().take(3).map(|message| {
        let description = classify::excerpt(message.description.as_bytes());
        if message.field_path.is_empty() {
            description
        } else {
            [&classify::excerpt(message.field_path.as_bytes()), ": ", &description].concat()
        }
    });
    ["GA4's validation: ", &told.collect::<Vec<_>>().join("; ")].concat()
}
