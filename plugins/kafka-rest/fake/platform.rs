//! A Kafka REST proxy as Confluent's, API v2: `POST /topics/{topic}`, with one topic.
//!
//! Sources: "Confluent REST Proxy API Reference" on docs.confluent.io; the fields of a record, the codes and the
//! answers from github.com/confluentinc/kafka-rest (`ProduceRequest.java`, `AbstractProduceAction.java`, `Errors.java`,
//! `KafkaExceptionMapper.java`). Stricter than a proxy, which takes any JSON: what does not fit the plugin's
//! `schema.json` is listed as a problem.

mod schema;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use schema::Schema;

const TOPIC: &str = "shop-events";
const USER: &str = "tidegate";
const PASSWORD: &str = "password-of-the-fake";
/// A producer's `max.request.size`, unless it is configured.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// A proxy with the account and the topic of `destination.toml`.
pub(crate) fn platform() -> KafkaRest {
    KafkaRest { schema: Schema::of_the_plugin() }
}

/// A proxy that knows one account and one topic.
#[derive(Debug, Clone)]
pub(crate) struct KafkaRest {
    schema: Schema,
}

impl Platform for KafkaRest {
    fn name(&self) -> &'static str {
        "kafka-rest"
    }

    fn judge(&self, request: &Received, _: i64) -> Judgement {
        match records(request) {
            Ok(records) => self.produce(&records),
            Err((status, code, message)) => {
                let problems = vec![format!("{code}: {message}")];
                Judgement { answer: error(status, code, &message), events: Vec::new(), problems }
            }
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => error(429, 429, "Request rate limit exceeded").header("retry-after", "1"),
            Trouble::CredentialsRefused => error(401, 401, "Unauthorized"),
            Trouble::Unavailable => error(503, 50302, "Broker not available"),
            Trouble::FirstRefused => return Some(first_refused(&records(request).unwrap_or_default())),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl KafkaRest {
    fn produce(&self, records: &[Value]) -> Judgement {
        let (mut offsets, mut events, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (index, record) in records.iter().enumerate() {
            let bytes = record.to_string().len();
            if bytes > RECORD_BYTES_MAX {
                problems.push(format!("record {index} has {bytes} bytes"));
                offsets.push(too_large(bytes));
                continue;
            }
            let value = &record["value"];
            problems
                .extend(self.schema.problems(value).into_iter().map(|problem| format!("record {index}: {problem}")));
            offsets.push(produced(index));
            events.push(value.clone());
        }
        Judgement { answer: answer(&offsets), events, problems }
    }
}

/// The request's records, or status, code and message of why there are none.
fn records(request: &Received) -> Result<Vec<Value>, (u16, u32, String)> {
    if request.basic().is_none_or(|(user, password)| (&*user, &*password) != (USER, PASSWORD)) {
        return Err((401, 401, "Unauthorized".to_owned()));
    }
    let Some(topic) = request.path.strip_prefix("/topics/") else {
        return Err((404, 404, "HTTP 404 Not Found".to_owned()));
    };
    if request.method != "POST" {
        return Err((405, 405, "HTTP 405 Method Not Allowed".to_owned()));
    }
    if request.header("content-type") != Some("application/vnd.kafka.json.v2+json") {
        return Err((415, 415, "HTTP 415 Unsupported Media Type".to_owned()));
    }
    if request.header("accept").is_some_and(|accept| accept != "application/vnd.kafka.v2+json" && accept != "*/*") {
        return Err((406, 406, "HTTP 406 Not Acceptable".to_owned()));
    }
    if topic != TOPIC {
        return Err((404, 40401, "Topic not found.".to_owned()));
    }
    let records = request.json.as_ref().and_then(|body| body["records"].as_array()).cloned().unwrap_or_default();
    if records.is_empty() {
        return Err((422, 422, "records may not be empty".to_owned()));
    }
    let fields = records.iter().flat_map(|record| record.as_object().into_iter().flat_map(|record| record.keys()));
    match fields.into_iter().find(|field| !matches!(field.as_str(), "partition" | "key" | "value")) {
        Some(field) => Err((422, 422, format!("Unrecognized field: {field}"))),
        None => Ok(records),
    }
}

fn first_refused(records: &[Value]) -> Judgement {
    let outcome = |index: usize| if index == 0 { too_large(1_048_688) } else { produced(index) };
    let offsets: Vec<Value> = (0..records.len()).map(outcome).collect();
    let events = records.iter().skip(1).map(|record| record["value"].clone()).collect();
    Judgement { answer: answer(&offsets), events, problems: Vec::new() }
}

fn produced(index: usize) -> Value {
    json!({ "partition": 0, "offset": index, "error_code": null, "error": null })
}

fn too_large(bytes: usize) -> Value {
    let error = format!(
        "The message is {bytes} bytes when serialized which is larger than {RECORD_BYTES_MAX}, which is the value of \
         the max.request.size configuration."
    );
    json!({ "partition": null, "offset": null, "error_code": 50002, "error": error })
}

fn answer(offsets: &[Value]) -> Answer {
    proxys(200, &json!({ "offsets": offsets, "key_schema_id": null, "value_schema_id": null }))
}

fn error(status: u16, code: u32, message: &str) -> Answer {
    proxys(status, &json!({ "error_code": code, "message": message }))
}

fn proxys(status: u16, body: &Value) -> Answer {
    Answer::text(status, body.to_string()).header("content-type", "application/vnd.kafka.v2+json")
}
