//! Chooses free ports for servers.
//!
//! They are taken from below the range that the system gives to outgoing connections: a server that was killed has to
//! find its own port free again, and a client that goes on knocking at the closed port must not be given that very port
//! as its own, for then it would be connected to itself.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

const FIRST: u16 = 12_000;
const COUNT: u64 = 20_000;

/// What this process gave out before, be it in use or not: the server may only be dead for a moment.
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port on which nothing listens. Another process may take it before it is used: whoever starts a server tries again.
pub(crate) fn free() -> u16 {
    let mut given = GIVEN.lock().expect("nobody panicked with it");
    let given = given.get_or_insert_default();
    for attempt in 0..COUNT {
        let random = RandomState::new().hash_one(attempt) % COUNT;
        let port = FIRST + u16::try_from(random).expect("it is below the count");
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
