//! The bits of a string in URL-safe Base64, most significant first: what the IAB's strings are made of.
//!
//! Reads from the text as it goes and allocates nothing.

use crate::Unreadable;

/// A place among the bits of a string.
#[derive(Debug, Clone)]
pub(crate) struct Bits<'a> {
    text: &'a [u8],
    /// How many bits were read.
    at: usize,
}

impl<'a> Bits<'a> {
    /// The bits of a text that is URL-safe Base64 throughout. Padding at its end is let be.
    pub(crate) fn of(text: &'a str) -> Result<Bits<'a>, Unreadable> {
        let text = text.trim_end_matches('=').as_bytes();
        if text.iter().all(|character| sextet(*character).is_some()) {
            Ok(Bits { text, at: 0 })
        } else {
            Err(Unreadable::Character)
        }
    }

    /// The next bit.
    pub(crate) fn bit(&mut self) -> Result<bool, Unreadable> {
        let value = self.text.get(self.at / 6).copied().and_then(sextet).ok_or(Unreadable::Truncated)?;
        let bit = value >> (5 - self.at % 6) & 1 == 1;
        self.at += 1;
        Ok(bit)
    }

    /// The next `width` bits as a number; at most 16.
    pub(crate) fn number(&mut self, width: u32) -> Result<u16, Unreadable> {
        (0..width).try_fold(0, |number: u16, _| Ok(number << 1 | u16::from(self.bit()?)))
    }

    /// A number in Fibonacci coding: ends with two ones in a row.
    pub(crate) fn fibonacci(&mut self) -> Result<u16, Unreadable> {
        let (mut term, mut next, mut total): (u16, u16, u16) = (1, 2, 0);
        let mut one_before = false;
        loop {
            let one = self.bit()?;
            if one && one_before {
                return Ok(total);
            }
            if one {
                total = total.checked_add(term).ok_or(Unreadable::Contradiction)?;
            }
            one_before = one;
            let sum = term.checked_add(next).ok_or(Unreadable::Contradiction)?;
            (term, next) = (next, sum);
        }
    }

    /// Passes over `width` bits.
    pub(crate) fn skip(&mut self, width: usize) -> Result<(), Unreadable> {
        let at = self.at.checked_add(width).ok_or(Unreadable::Truncated)?;
        if at > self.text.len() * 6 {
            return Err(Unreadable::Truncated);
        }
        self.at = at;
        Ok(())
    }
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_across_characters() {
        // D = 000011, B = 000001, A = 000000.
        let mut bits = Bits::of("DBA").unwrap();
        assert_eq!((bits.number(6), bits.number(4), bits.number(8)), (Ok(3), Ok(0), Ok(64)));
        assert_eq!(bits.bit(), Err(Unreadable::Truncated));
    }

    #[test]
    fn fibonacci_numbers_end_with_two_ones() {
        // 11 011 0011 1011, and zeroes that fill the last character.
        let mut bits = Bits::of("2dg").unwrap();
        let read: Vec<u16> = std::iter::from_fn(|| bits.fibonacci().ok()).collect();
        assert_eq!(read, [1, 2, 3, 4]);
    }

    #[test]
    fn a_fibonacci_number_without_an_end_is_not_read_for_ever() {
        assert_eq!(Bits::of(&"A".repeat(10)).unwrap().fibonacci(), Err(Unreadable::Contradiction));
        assert_eq!(Bits::of("A").unwrap().fibonacci(), Err(Unreadable::Truncated));
    }

    #[test]
    fn other_characters_are_refused() {
        assert_eq!(Bits::of("DB+A").unwrap_err(), Unreadable::Character);
        assert_eq!(Bits::of("DBä").unwrap_err(), Unreadable::Character);
        assert!(Bits::of("DBA=").is_ok());
    }
}
