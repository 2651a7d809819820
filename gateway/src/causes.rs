//! An error with the chain of its causes, in one line: no error repeats its cause in its own message.

use std::error::Error;

/// The error's message, and each cause's behind a colon.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_named_once() {
        let disk = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = tidegate_queue::Error::Unavailable { operation: "append", source: Box::new(disk) };
        assert_eq!(chain(&error), "append: the store is unavailable: no storage space");
    }
}
