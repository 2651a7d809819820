//! What the tests share: strings of the IAB made to order, and a MaxMind database.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod mmdb;

use std::fmt::Write;

use tidegate_consent::{Rules, Signals, decide};
use tidegate_event::Consent;

/// A consent string that has everything, and to which the visitor said no.
pub(crate) const REFUSED: &str = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA";

/// Bits, then Base64.
#[derive(Default)]
pub(crate) struct Writer(String);

impl Writer {
    pub(crate) fn number(mut self, value: u64, width: usize) -> Writer {
        write!(self.0, "{value:0width$b}").expect("the test writes it so");
        self
    }

    pub(crate) fn set(mut self, numbers: &[u16], width: u16) -> Writer {
        self.0.extend((1..=width).map(|one| if numbers.contains(&one) { '1' } else { '0' }));
        self
    }

    pub(crate) fn fibonacci(mut self, mut value: u64) -> Writer {
        let mut terms = vec![1, 2];
        while terms[terms.len() - 1] < value {
            terms.push(terms[terms.len() - 1] + terms[terms.len() - 2]);
        }
        let mut code = String::new();
        for term in terms.iter().rev() {
            if *term <= value {
                value -= term;
                code.insert(0, '1');
            } else if !code.is_empty() {
                code.insert(0, '0');
            }
        }
        write!(self.0, "{code}1").expect("the test writes it so");
        self
    }

    pub(crate) fn text(mut self) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        while !self.0.len().is_multiple_of(24) {
            self.0.push('0');
        }
        let sextets = self.0.as_bytes().chunks(6).map(|bits| std::str::from_utf8(bits).expect("the test writes it so"));
        sextets
            .map(|bits| char::from(ALPHABET[usize::from_str_radix(bits, 2).expect("the test writes it so")]))
            .collect()
    }
}

/// How a list of vendors is written.
pub(crate) enum Vendors<'a> {
    Field(&'a [u16]),
    Ranges(&'a [(u16, u16)]),
}

/// A consent string of Europe's framework.
pub(crate) fn tcf(purposes: &[u16], vendors: &Vendors<'_>) -> String {
    let writer = Writer::default().number(2, 6).number(15_000_000_000, 36).number(15_000_000_000, 36);
    let writer = writer.number(31, 12).number(640, 12).number(1, 6).number(4, 6).number(13, 6);
    let writer = writer.number(126, 12).number(2, 6).number(0, 2).number(0, 12);
    let writer = writer.set(purposes, 24).number(0, 24).number(0, 1).number(3, 6).number(4, 6);
    let writer = match vendors {
        Vendors::Field(ids) => {
            let last = ids.iter().copied().max().unwrap_or(0);
            writer.number(last.into(), 16).number(0, 1).set(ids, last)
        }
        Vendors::Ranges(runs) => {
            let last = runs.iter().map(|(_, to)| *to).max().unwrap_or(0);
            let writer = writer.number(last.into(), 16).number(1, 1).number(runs.len() as u64, 12);
            runs.iter().fold(writer, |writer, (from, to)| match from == to {
                true => writer.number(0, 1).number((*from).into(), 16),
                false => writer.number(1, 1).number((*from).into(), 16).number((*to).into(), 16),
            })
        }
    };
    writer.number(0, 16).number(0, 1).number(0, 12).text()
}

/// A string of the Global Privacy Platform, of sections in the order of their ids, each id by itself in the header.
pub(crate) fn gpp(sections: &[(u16, &str)]) -> String {
    let mut header = Writer::default().number(3, 6).number(1, 6).number(sections.len() as u64, 12);
    let mut last = 0;
    for (id, _) in sections {
        header = header.number(0, 1).fibonacci((*id - last).into());
        last = *id;
    }
    sections.iter().fold(header.text(), |string, (_, section)| format!("{string}~{section}"))
}

/// What is decided of signals, by rules whose default is nothing.
pub(crate) fn decided(add: impl FnOnce(&mut Signals)) -> Consent {
    let mut signals = Signals::default();
    add(&mut signals);
    decide(&signals, &Rules::default())
}
