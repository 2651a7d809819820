//! What the proxies' answers mean. A 200 tells each record's fate: Confluent's and Karapace's in the records' order,
//! Redpanda's by partition, which leaves open whose record it was.
//!
//! Sources: "Confluent REST Proxy API Reference" (1 cannot, 2 can be retried) and `AbstractProduceAction.java`,
//! `KafkaExceptionMapper.java` of github.com/confluentinc/kafka-rest (50002, 50003 and so on);
//! `src/v/pandaproxy/json/requests/produce.h` of github.com/redpanda-data/redpanda (Kafka's own codes, by partition);
//! "Protocol Error Codes" on kafka.apache.org.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify};

/// A body of a proxy's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    offsets: Vec<Offset<'a>>,
    error_code: Option<i64>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Offset<'a> {
    partition: Option<i64>,
    error_code: Option<i64>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
}

/// What an error code asks for.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// A fault of the cluster's that passes.
    Transient,
    /// The account or the topic: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// The record is bad.
    Record,
}

const ACCOUNT: &str =
    "the proxy or the cluster refuses the account: correct `user` and `password`, and allow it to write";
const TOPIC: &str = "there is no such topic: correct `url`, or create the topic";
const ADDRESS: &str = "this is no Kafka REST proxy that speaks version 2: correct `url`";
const REASON_CHARS: usize = 300;

/// The codes of single records. Kafka's own and Confluent's do not collide in meaning: its 1 (OFFSET_OUT_OF_RANGE)
/// cannot be retried and its 2 (CORRUPT_MESSAGE) can, as Confluent documents them.
fn class(code: i64) -> Class {
    match code {
        // UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION; Confluent's own of the same.
        3 | 17 | 40401..=40403 => Class::Operator(TOPIC),
        // TOPIC_, CLUSTER_AUTHORIZATION_FAILED, SASL_AUTHENTICATION_FAILED; Confluent's own of the same.
        29 | 31 | 58 | 40101 | 40301 => Class::Operator(ACCOUNT),
        // UNKNOWN_SERVER_ERROR, CORRUPT_MESSAGE, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT,
        // BROKER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, NETWORK_EXCEPTION, COORDINATOR_…,
        // NOT_ENOUGH_REPLICAS(_AFTER_APPEND), KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
        // THROTTLING_QUOTA_EXCEEDED.
        -1 | 2 | 5..=9 | 13..=16 | 19 | 20 | 56 | 74 | 75 | 89 => Class::Transient,
        // Confluent's: a retriable exception of Kafka's, no broker.
        50003 | 50302 => Class::Transient,
        _ => Class::Record,
    }
}

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_success = (200..300).contains(&response.status);
    if is_success && !answer.offsets.is_empty() {
        return by_record(&answer.offsets, count);
    }
    // Confluent's codes begin with the status that they come with: 40401.
    match (response.status, answer.error_code.unwrap_or(0)) {
        // A page of a proxy's is no success; consumers drop a record that comes twice by its `event_id`.
        (200..=299, _) => Verdict::Retry(None),
        (401 | 403 | 407, _) => operator(ACCOUNT, &told(response, &answer)),
        (404, 40400..=40499) => operator(TOPIC, &told(response, &answer)),
        (404 | 405 | 406 | 415, _) => operator(ADDRESS, &told(response, &answer)),
        _ => match classify::by_status(response, count, ctx) {
            Verdict::Reject(_) => Verdict::Reject(told(response, &answer)),
            other => other,
        },
    }
}

fn by_record(offsets: &[Offset<'_>], count: u32) -> Verdict {
    let failed = || offsets.iter().filter(|offset| offset.failed());
    if failed().next().is_none() {
        return Verdict::Delivered;
    }
    let operator_hint = failed().find_map(|offset| match class(offset.code()) {
        Class::Operator(hint) => Some((hint, offset)),
        _ => None,
    });
    if let Some((hint, offset)) = operator_hint {
        return operator(hint, &offset.text());
    }
    // An entry that failed has no partition at Confluent's, for its record got none; at Redpanda's each has one.
    let in_order = offsets.len() == count as usize && failed().all(|offset| offset.partition.is_none());
    let mut outcomes = offsets.iter().map(Offset::outcome);
    match (count, in_order) {
        (0 | 1, _) => match outcomes.find(|outcome| *outcome != Outcome::Delivered) {
            Some(Outcome::Reject(reason)) => Verdict::Reject(reason),
            _ => Verdict::Retry(None),
        },
        (_, true) => Verdict::Each(outcomes.collect()),
        // Some partitions have their records, and get them again: consumers drop them by their `event_id`.
        (_, false) if outcomes.any(|outcome| matches!(outcome, Outcome::Reject(_))) => Verdict::Split,
        (_, false) => Verdict::Retry(None),
    }
}

impl Offset<'_> {
    fn failed(&self) -> bool {
        self.code() != 0
    }

    fn code(&self) -> i64 {
        self.error_code.unwrap_or(0)
    }

    fn outcome(&self) -> Outcome {
        match class(self.code()) {
            _ if !self.failed() => Outcome::Delivered,
            Class::Record => Outcome::Reject(self.text()),
            Class::Transient | Class::Operator(_) => Outcome::Retry(None),
        }
    }

    fn text(&self) -> String {
        let error = self.error.as_ref().map(|error| classify::excerpt(error.as_bytes()));
        coded(self.code(), error.as_deref().unwrap_or_default())
    }
}

fn told(response: &Response, answer: &Answer<'_>) -> String {
    match (answer.error_code, &answer.message) {
        (Some(code), Some(message)) => coded(code, &classify::excerpt(message.as_bytes())),
        _ => classify::reason(response),
    }
}

/// `Kafka error 50002: The message is 1048688 bytes …`.
fn coded(code: i64, text: &str) -> String {
    let colon = if text.is_empty() { "" } else { ": " };
    ["Kafka error ", &code.to_string(), colon, text].concat().chars().take(REASON_CHARS).collect()
}

fn operator(hint: &str, told: &str) -> Verdict {
    Verdict::Credentials([hint, " (", told, ")"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_codes_and_the_protocols_mean_the_same() {
        for code in [1, 10, 18, 44, 87, 50002] {
            assert_eq!(class(code), Class::Record, "{code}");
        }
        for code in [2, 6, 7, 19, 50003] {
            assert_eq!(class(code), Class::Transient, "{code}");
        }
        for code in [3, 29, 40101, 40401] {
            assert!(matches!(class(code), Class::Operator(_)), "{code}");
        }
    }

    #[test]
    fn an_answer_by_partition_is_never_taken_for_one_by_record() {
        let of = |text: &'static str| by_record(&serde_json::from_str::<Vec<Offset<'_>>>(text).unwrap(), 2);
        let by_partition = r#"[{"partition":0,"offset":7},{"partition":1,"error_code":10,"offset":-1}]"#;
        assert_eq!(of(by_partition), Verdict::Split);
        let by_record = r#"[{"partition":0,"offset":7,"error_code":null},{"partition":null,"error_code":2}]"#;
        assert_eq!(of(by_record), Verdict::Each(vec![Outcome::Delivered, Outcome::Retry(None)]));
    }
}
