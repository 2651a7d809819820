//! A prediction in words.

use std::fmt;

use crate::browser::{DAY_S, ThirdParty};
use crate::predict::{Term, Why};

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            0 => f.write_str("not kept"),
            DAY_S => f.write_str("24 hours"),
            seconds if seconds.is_multiple_of(DAY_S) => write!(f, "{} days", seconds / DAY_S),
            seconds if seconds.is_multiple_of(3600) => write!(f, "{} hours", seconds / 3600),
            seconds => write!(f, "{seconds} s"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Asked => f.write_str("it asks for no longer"),
            Why::Limit { .. } => f.write_str("the browser keeps none longer"),
            Why::Script { .. } => f.write_str("a script sets it"),
            Why::DecoratedLink { .. } => f.write_str("a script sets it after a click on a tracker's decorated link"),
            Why::Cname { target, .. } => write!(f, "the tracking host is a CNAME to `{target}`, of another domain"),
            Why::Address { page, tracking, shared_bits, .. } => {
                write!(f, "the tracking host's {tracking} shares {shared_bits} bits with the page's {page}")
            }
            Why::Unknown { .. } => f.write_str("the addresses are not known, so that it may be capped"),
            Why::ThirdParty { treatment: ThirdParty::Blocked } => f.write_str("the tracking host is of another site"),
            Why::ThirdParty { treatment: ThirdParty::Partitioned | ThirdParty::LaxDropped } => {
                f.write_str("the tracking host is of another site, and the cookie is SameSite=Lax")
            }
            Why::PublicSuffix => f.write_str("the page's host is a public suffix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_the_largest_unit_that_fits() {
        let words = |seconds| Term { seconds, why: Why::Asked }.to_string();
        let lengths = [0, 59, 7200, DAY_S, 7 * DAY_S, 400 * DAY_S].map(words);
        assert_eq!(lengths, ["not kept", "59 s", "2 hours", "24 hours", "7 days", "400 days"]);
    }
}
