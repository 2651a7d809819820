//! A visitor for a day without anything stored in the browser: a keyed hash of what its requests say of it anyway.
//!
//! What it is worth, and what it is not:
//!
//! - It counts a day's visitors and joins one visitor's page views of that day. The next day everybody is new: two days have
//!   different salts, and no one without the secret can link them, nor guess back an address from an ID.
//! - It is pseudonymous, not anonymous. Salts are derived, so that several gateways agree without storing any; whoever has the
//!   secret *and* an address with its agent can compute the ID for any day. Keep the secret apart from the events, and
//!   change it to make that end.
//! - Two people behind one address with the same browser are one; one person who changes networks is two. With
//!   [`Precision::Network`] there are more of the first and fewer of the second.
//! - It reads no cookie and writes none. Whether it may be used without consent, the law of the visitor's country says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tidegate_event::VisitorId;
use uuid::Builder;

use crate::mac;
use crate::visitor::Ring;

const DAY_MS: u64 = 86_400_000;
/// For so long after midnight (UTC) an event of the day before is counted with its own day.
const OVERLAP_MS: u64 = 2 * 3_600_000;

/// What a request says of its browser.
#[derive(Debug, Clone, Copy)]
pub struct Traits<'a> {
    /// The site's name.
    pub site: &'a str,
    /// The host of its pages.
    pub host: &'a str,
    /// The client's address.
    pub ip: IpAddr,
    /// Its agent, as sent.
    pub user_agent: &'a str,
}

/// How much of an address goes into the hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// All of IPv4; of IPv6 the /64, for the rest changes by the hour.
    #[default]
    Host,
    /// IPv4's /24, IPv6's /48.
    Network,
}

/// The salts of a day and the one before; older ones cannot be asked for.
#[derive(Clone)]
pub struct Salts {
    now_ms: u64,
    today: [u8; 32],
    yesterday: [u8; 32],
}

impl Salts {
    /// The salts as they are now.
    pub fn at(secret: &[u8], now_ms: u64) -> Salts {
        let day = now_ms / DAY_MS;
        Salts { now_ms, today: salt(secret, day), yesterday: salt(secret, day.saturating_sub(1)) }
    }

    /// The salts of a ring: its newest key is the secret, so that rotating it ends what could be computed. None where
    /// there is no key.
    pub fn of_ring(ring: &Ring, now_ms: u64) -> Option<Salts> {
        ring.newest_secret().map(|secret| Salts::at(secret, now_ms))
    }

    /// The visitor of an event that happened at `at_ms`. Around midnight it has its own day's ID; one that comes later than
    /// that, or from the future, has today's.
    pub fn visitor(&self, at_ms: u64, traits: &Traits<'_>, precision: Precision) -> VisitorId {
        let (day, today) = (at_ms / DAY_MS, self.now_ms / DAY_MS);
        let is_yesterdays = day.checked_add(1) == Some(today) && self.now_ms % DAY_MS < OVERLAP_MS;
        let salt = if is_yesterdays { &self.yesterday } else { &self.today };
        let hash = mac::whole(salt, &text(traits, precision));
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        // Version 8: made by a rule of our own, so that nobody takes it for a random one.
        VisitorId(Builder::from_custom_bytes(id).into_uuid())
    }
}

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salts").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

fn salt(secret: &[u8], day: u64) -> [u8; 32] {
    mac::whole(secret, format!("tidegate cookieless 1\0{day}").as_bytes())
}

/// Each part with its length before it, so that no two sets of traits are one text.
fn text(traits: &Traits<'_>, precision: Precision) -> Vec<u8> {
    let ip = truncated(traits.ip, precision).to_string();
    let host = traits.host.to_ascii_lowercase();
    let parts = [traits.site, &host, &ip, traits.user_agent];
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes())).collect()
}

fn truncated(ip: IpAddr, precision: Precision) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let bits = if precision == Precision::Host { 32 } else { 24 };
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << (32 - bits))))
        }
        IpAddr::V6(ip) => {
            let bits = if precision == Precision::Host { 64 } else { 48 };
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - bits))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAITS: Traits<'_> = Traits {
        site: "shop",
        host: "www.shop.example",
        ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        user_agent: "Mozilla/5.0",
    };
    const NOON_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    fn at(now_ms: u64, at_ms: u64, traits: &Traits<'_>) -> VisitorId {
        Salts::at(b"secret", now_ms).visitor(at_ms, traits, Precision::Host)
    }

    #[test]
    fn a_browser_is_one_visitor_for_a_day_and_another_the_next() {
        let id = at(NOON_MS, NOON_MS, &TRAITS);
        assert_eq!(id, at(NOON_MS + 3_600_000, NOON_MS, &TRAITS));
        assert_ne!(id, at(NOON_MS + DAY_MS, NOON_MS + DAY_MS, &TRAITS));
        assert_ne!(id, Salts::at(b"other", NOON_MS).visitor(NOON_MS, &TRAITS, Precision::Host));
        assert_eq!(id.0.get_version_num(), 8);
    }

    #[test]
    fn around_midnight_an_event_keeps_its_own_day() {
        let midnight_ms = 20_001 * DAY_MS;
        let id = at(midnight_ms - 1, midnight_ms - 1, &TRAITS);
        assert_eq!(at(midnight_ms + OVERLAP_MS - 1, midnight_ms - 1, &TRAITS), id);
        let today = at(midnight_ms, midnight_ms, &TRAITS);
        assert_ne!(today, id);
        assert_eq!(at(midnight_ms + OVERLAP_MS, midnight_ms - 1, &TRAITS), today, "later than that it is today's");
        assert_eq!(at(midnight_ms, midnight_ms - DAY_MS - 1, &TRAITS), today, "no older day can be asked for");
        assert_eq!(at(midnight_ms, u64::MAX, &TRAITS), today);
        assert_eq!(at(0, 0, &TRAITS), at(5, 5, &TRAITS));
    }

    #[test]
    fn every_trait_counts_and_none_runs_into_the_next() {
        let id = at(NOON_MS, NOON_MS, &TRAITS);
        for other in [
            Traits { site: "shopw", host: "ww.shop.example", ..TRAITS },
            Traits { host: "shop.example", ..TRAITS },
            Traits { user_agent: "Mozilla/5.1", ..TRAITS },
            Traits { ip: "203.0.113.8".parse().unwrap(), ..TRAITS },
        ] {
            assert_ne!(at(NOON_MS, NOON_MS, &other), id, "{other:?}");
        }
        assert_eq!(at(NOON_MS, NOON_MS, &Traits { host: "WWW.shop.example", ..TRAITS }), id);
        assert_eq!(at(NOON_MS, NOON_MS, &Traits { ip: "::ffff:203.0.113.7".parse().unwrap(), ..TRAITS }), id);
    }

    #[test]
    fn of_an_address_so_much_counts_as_was_asked_for() {
        for (ip, host, network) in
            [("203.0.113.7", "203.0.113.7", "203.0.113.0"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::")]
        {
            let ip = ip.parse().unwrap();
            assert_eq!(truncated(ip, Precision::Host).to_string(), host);
            assert_eq!(truncated(ip, Precision::Network).to_string(), network);
        }
    }

    #[test]
    fn no_salt_is_ever_printed() {
        assert_eq!(format!("{:?}", Salts::at(b"secret", 5)), "Salts { now_ms: 5, .. }");
    }
}
