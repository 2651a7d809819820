//! Takes answers apart. What has another shape than a script's answer has is an error, not a panic.

use redis::Value;

use crate::{DeliveryKey, Error};

/// The answer of a script, or a part of it.
pub(super) struct Answer {
    operation: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Answer {
    pub(super) fn of(operation: &'static str, value: Value) -> Result<Answer, Error> {
        Ok(Answer { operation, values: array(operation, value)?.into_iter() })
    }

    pub(super) fn next(&mut self) -> Result<Value, Error> {
        self.values.next().ok_or_else(|| odd(self.operation, "too short"))
    }

    pub(super) fn int(&mut self) -> Result<i64, Error> {
        let operation = self.operation;
        self.next().and_then(|value| int(operation, &value))
    }

    /// A count, or a time; what is negative stands for none.
    pub(super) fn count(&mut self) -> Result<Option<u64>, Error> {
        Ok(u64::try_from(self.int()?).ok())
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let operation = self.operation;
        self.next().and_then(|value| bytes(operation, value))
    }

    pub(super) fn key(&mut self) -> Result<DeliveryKey, Error> {
        key(self.operation, &self.bytes()?)
    }

    pub(super) fn part(&mut self) -> Result<Answer, Error> {
        let operation = self.operation;
        Answer::of(operation, self.next()?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.as_slice().is_empty()
    }
}

pub(super) fn array(operation: &'static str, value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Nil => Ok(Vec::new()),
        _ => Err(odd(operation, "no list")),
    }
}

pub(super) fn int(operation: &'static str, value: &Value) -> Result<i64, Error> {
    let parsed = match value {
        Value::Int(n) => Some(*n),
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    parsed.ok_or_else(|| odd(operation, "no number"))
}

pub(super) fn bytes(operation: &'static str, value: Value) -> Result<Vec<u8>, Error> {
    optional(value).ok_or_else(|| odd(operation, "no text"))
}

/// The text of an answer that may be nil.
pub(super) fn optional(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

pub(super) fn key(operation: &'static str, bytes: &[u8]) -> Result<DeliveryKey, Error> {
    bytes.try_into().map(DeliveryKey).map_err(|_| odd(operation, "no delivery's key"))
}

pub(super) fn odd(operation: &'static str, why: &str) -> Error {
    Error::Corrupt { what: format!("the server's answer to `{operation}`"), why: format!("it is {why}") }
}
