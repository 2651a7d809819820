//! Every built-in destination, end to end: a whole shop session, from the page's requests to what each platform took.
#![cfg(test)]

mod parity;
mod session;
mod shop;
