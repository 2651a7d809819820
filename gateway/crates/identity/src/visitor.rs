//! The visitor's cookie: an ID that only the gateway can have issued.
//!
//! `v1.<key id>.<uuid>.<issued, Unix seconds>.<HMAC-SHA256, 16 bytes, base64url>`. What is not signed by a key of the ring
//! is nobody's: a script, a sub-domain or a query can name an ID, but not make one count.

use std::fmt;

use tidegate_event::VisitorId;

use crate::jar::Jar;
use crate::{Scheme, mac};

/// What browsers demand of a cookie with this prefix: `Secure`, so that no plain page can have set it.
const PREFIX: &str = "__Secure-";

/// One key of a ring; `Debug` shows nothing of its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    id: String,
    secret: Vec<u8>,
}

/// The keys that sign visitor IDs: the first signs, all verify.
#[derive(Debug, Clone)]
pub struct Ring {
    cookie: String,
    keys: Vec<Key>,
}

/// A visitor whom a key of ours vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Who it is.
    pub visitor: VisitorId,
    /// When the ID was first given, in Unix seconds.
    pub issued_s: u64,
}

/// What a request's visitor cookie turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Absent,
    /// Not signed by a key of ours: nobody's.
    Forged,
    /// Ours.
    Visitor(Signed),
}

impl Key {
    /// A key. Its id is of ASCII letters and digits; the configuration sees to that.
    pub fn new(id: impl Into<String>, secret: impl Into<Vec<u8>>) -> Key {
        Key { id: id.into(), secret: secret.into() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring, for a cookie of this name without a prefix. The newest key comes first.
    pub fn new(cookie: impl Into<String>, keys: Vec<Key>) -> Ring {
        Ring { cookie: cookie.into(), keys }
    }

    /// The cookie's whole name.
    pub fn cookie_name(&self, scheme: Scheme) -> String {
        match scheme {
            Scheme::Https => format!("{PREFIX}{}", self.cookie),
            Scheme::Http => self.cookie.clone(),
        }
    }

    /// The value of a visitor's cookie, signed by the newest key. None where there is no key.
    pub fn sign(&self, signed: Signed) -> Option<String> {
        self.seal("v1", &format!("{}.{}", signed.visitor, signed.issued_s))
    }

    /// The visitor that a cookie's value names, if any key of the ring signed it.
    pub fn verify(&self, value: &str) -> Option<Signed> {
        let (visitor, issued) = self.open("v1", value).ok()?.split_once('.')?;
        Some(Signed { visitor: VisitorId::parse(visitor).ok()?, issued_s: issued.parse().ok()? })
    }

    /// The visitor of a request. What only a secure page can have set comes first: any host below the domain, and any plain
    /// page, can plant another visitor's genuine value under the name without the prefix.
    pub fn find(&self, jar: &Jar) -> Found {
        let [https, http] = [Scheme::Https, Scheme::Http].map(|scheme| self.cookie_name(scheme));
        let values = |name: String| jar.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value);
        let mut found = Found::Absent;
        for value in values(https).chain(values(http)) {
            match self.verify(value) {
                Some(signed) => return Found::Visitor(signed),
                None => found = Found::Forged,
            }
        }
        found
    }

    pub(crate) fn newest_secret(&self) -> Option<&[u8]> {
        self.keys.first().map(|key| key.secret.as_slice())
    }

    /// `<tag>.<key id>.<body>.<mac>`. The tag is signed too, so that what is sealed for one use is worth nothing in another.
    pub(crate) fn seal(&self, tag: &str, body: &str) -> Option<String> {
        let Key { id, secret } = self.keys.first()?;
        let signed = format!("{tag}.{id}.{body}");
        let mac = mac::sign(secret, &signed);
        Some(format!("{signed}.{mac}"))
    }

    /// The body of what was sealed with this tag.
    pub(crate) fn open<'a>(&self, tag: &str, sealed: &'a str) -> Result<&'a str, Unsealed> {
        let (signed, given) = sealed.rsplit_once('.').ok_or(Unsealed::Malformed)?;
        let rest = signed.strip_prefix(tag).and_then(|rest| rest.strip_prefix('.')).ok_or(Unsealed::Malformed)?;
        let (kid, body) = rest.split_once('.').ok_or(Unsealed::Malformed)?;
        let key = self.keys.iter().find(|key| key.id == kid).ok_or(Unsealed::UnknownKey)?;
        if mac::is_signed(&key.secret, signed, given) { Ok(body) } else { Err(Unsealed::Forged) }
    }
}

/// Why something is not sealed by the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsealed {
    Malformed,
    UnknownKey,
    Forged,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ring(ids: &[&str]) -> Ring {
        Ring::new("tg_vid", ids.iter().map(|id| Key::new(*id, format!("secret of {id}"))).collect())
    }

    const SIGNED: Signed = Signed { visitor: VisitorId(Uuid::from_u128(7)), issued_s: 1_700_000_000 };

    #[test]
    fn the_value_is_as_it_was_before_this_crate() {
        // Written by the gateway's version 0.1: cookies out there have to be read on.
        let stored = "v1.k1.00000000-0000-0000-0000-000000000007.1700000000.";
        let value = ring(&["k1"]).sign(SIGNED).unwrap();
        assert!(value.starts_with(stored) && value.len() == stored.len() + 22, "{value}");
        assert_eq!(ring(&["k1"]).verify(&value), Some(SIGNED));
    }

    #[test]
    fn keys_rotate_without_losing_a_visitor_or_the_time_of_issue() {
        let value = ring(&["k1"]).sign(SIGNED).unwrap();
        assert_eq!(ring(&["k2", "k1"]).verify(&value), Some(SIGNED));
        assert_eq!(ring(&["k2"]).verify(&value), None);
        let renewed = ring(&["k2", "k1"]).sign(SIGNED).unwrap();
        assert_eq!(ring(&["k2"]).verify(&renewed), Some(SIGNED));
        assert_eq!(ring(&[]).sign(SIGNED), None);
    }

    #[test]
    fn a_forged_value_is_nobody() {
        let value = ring(&["k1"]).sign(SIGNED).unwrap();
        let other = value.replace("000000000007", "000000000008");
        let later = value.replace("1700000000", "1700000001");
        for forged in [other.as_str(), &later, "", "v1.k1", "v1.k1.x.1.AAAA", &value[..value.len() - 1], "7", "v1....."]
        {
            assert_eq!(ring(&["k1"]).verify(forged), None, "{forged}");
        }
        assert_eq!(ring(&["k1"]).find(&Jar::read([format!("tg_vid={other}").as_str()])), Found::Forged);
    }

    #[test]
    fn a_forged_cookie_beside_a_true_one_does_not_hide_it() {
        let value = ring(&["k1"]).sign(SIGNED).unwrap();
        let lines = format!("tg_vid=forged; other=1; __Secure-tg_vid={value}");
        assert_eq!(ring(&["k1"]).find(&Jar::read([lines.as_str()])), Found::Visitor(SIGNED));
        assert_eq!(ring(&["k1"]).find(&Jar::read(["tg_vid2=x; xtg_vid=y"])), Found::Absent);
    }

    #[test]
    fn a_planted_cookie_without_the_prefix_does_not_replace_the_visitor() {
        let planted = Signed { visitor: VisitorId(Uuid::from_u128(6)), ..SIGNED };
        let [genuine, planted_value] = [SIGNED, planted].map(|signed| ring(&["k1"]).sign(signed).unwrap());
        let find = |line: String| ring(&["k1"]).find(&Jar::read([line.as_str()]));
        let both = format!("tg_vid={planted_value}; __Secure-tg_vid={genuine}");
        assert_eq!(find(both), Found::Visitor(SIGNED));
        let no_genuine = format!("tg_vid={planted_value}; __Secure-tg_vid=forged");
        assert_eq!(find(no_genuine), Found::Visitor(planted), "as where a site has moved to HTTPS");
    }

    #[test]
    fn no_secret_is_ever_printed() {
        assert_eq!(format!("{:?}", Key::new("k1", "hush")), "Key { id: \"k1\", .. }");
    }
}
