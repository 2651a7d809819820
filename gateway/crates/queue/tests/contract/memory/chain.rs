//! The reference's chained log. Its hash is written anew, as the documentation has it.

use sha2::{Digest as _, Sha256};
use tidegate_queue::Error;
use tidegate_queue::chain::{Ends, Hash, Head, Link};

#[derive(Default)]
pub(crate) struct Chain {
    base: Head,
    links: Vec<Link>,
}

impl Chain {
    pub(super) fn append(&mut self, at_ms: u64, bytes: Vec<u8>) -> Head {
        let Head { seq, hash: prev } = self.ends().head;
        let seq = seq + 1;
        let all = [&b"tidegate chain 1\0"[..], &prev.0, &seq.to_be_bytes(), &at_ms.to_be_bytes(), &bytes].concat();
        let hash = Hash(Sha256::digest(all).into());
        self.links.push(Link { seq, at_ms, prev, hash, bytes });
        Head { seq, hash }
    }

    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.seq > seq)
    }

    pub(super) fn ends(&self) -> Ends {
        Ends { base: self.base, head: self.links.last().map_or(self.base, Link::head) }
    }

    pub(super) fn import(&mut self, links: Vec<Link>) -> Result<usize, Error> {
        let mut joined = Chain { base: self.base, links: self.links.clone() };
        if joined.ends().head == Head::START {
            joined.base = links.first().map_or(Head::START, Link::before);
        }
        let before = joined.links.len();
        for link in links {
            if !link.is_whole() {
                return Err(Error::Corrupt { what: format!("entry {}", link.seq), why: "it was changed".into() });
            }
            let is_known = joined.links.contains(&link) || link.seq <= joined.base.seq;
            match link.before() == joined.ends().head {
                true => joined.links.push(link),
                false if is_known => {}
                false => return Err(Error::Forked { seq: link.seq }),
            }
        }
        let new = joined.links.len() - before;
        *self = joined;
        Ok(new)
    }

    pub(super) fn sweep(&mut self, before_ms: u64) -> usize {
        let newest = self.links.len().saturating_sub(1);
        let old = self.links.iter().take(newest).take_while(|link| link.at_ms < before_ms).count();
        for link in self.links.drain(..old) {
            self.base = link.head();
        }
        old
    }
}
