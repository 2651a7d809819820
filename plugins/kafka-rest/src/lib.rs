//! Kafka REST proxy: one event to one record of a `POST /topics/{topic}`, version 2 of Confluent's API, which
//! Redpanda's HTTP Proxy and Karapace speak too.
//!
//! Owns the record's fields (`schema.json` beside it says them in JSON Schema) and what the proxies' answers mean.
//! Sources: "Confluent REST Proxy API Reference", API v2, on docs.confluent.io; "Use Redpanda with the HTTP Proxy API"
//! on docs.redpanda.com; github.com/confluentinc/kafka-rest and github.com/redpanda-data/redpanda (`src/v/pandaproxy`).

mod answer;
mod config;

use serde::Serialize;
use tidegate_plugin_sdk::row::{self, Row};
use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json, personal};

use crate::config::Key;

/// The destination.
pub struct KafkaRest;
tidegate_plugin_sdk::export!(KafkaRest);

impl Plugin for KafkaRest {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let names = row::names(&event, &config.events, config.custom_events)?;
        let key = key(&event, config.key);
        names
            .into_iter()
            .map(|name| request(&Record { key, value: row::of(&event, name, &ctx, row::Json::Object)? }))
            .collect()
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}

/// One record. The API of version 2 knows no headers: a proxy refuses a record that has any other field.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    value: Row<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    records: [&'a Record<'a>; 1],
}

/// What keeps records that belong together in one partition, and so in order.
fn key(event: &Event, by: Key) -> Option<&str> {
    match by {
        Key::None => None,
        Key::Event => Some(&event.id),
        Key::Visitor => {
            let ids = [event.anonymous_id.as_deref(), event.user_id.as_deref()];
            let id = ids.into_iter().flatten().find(|id| !personal::is_email(id));
            // A topic that is compacted takes no record without a key.
            Some(id.unwrap_or(&event.id))
        }
    }
}

fn request(record: &Record<'_>) -> Result<Request, Rejection> {
    let body = serde_json::to_vec(&Body { records: [record] });
    let mut request = Request::new("records")
        .with_header("content-type", "application/vnd.kafka.json.v2+json")
        .with_header("accept", "application/vnd.kafka.v2+json");
    request.body = body.map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    Ok(request)
}
