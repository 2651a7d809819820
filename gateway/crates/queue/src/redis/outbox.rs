//! Changes of profiles: as arguments of scripts, and in the outbox of a partition whose entries change profiles that
//! live in another one.

use std::collections::BTreeMap;
use std::io::Cursor;

use rmp::{decode, encode};

use super::keys::Keys;
use super::link::{Call, Confirm, Lane, Link};
use super::pack::{self, number, read_number, read_text, time};
use super::scripts::{CLEAR, PATCH};
use crate::{ProfileField, ProfilePatch};

/// A change of a profile, with the time of its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) profile: String,
    received_ms: u64,
    expires_ms: u64,
    fields: Vec<ProfileField>,
}

/// Changes that are in an outbox.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) partition: u16,
    /// Of the entry that made them.
    pub(super) reference: Vec<u8>,
    pub(super) patches: Vec<Patch>,
}

impl Patch {
    pub(super) fn new(patch: ProfilePatch, received_ms: u64) -> Patch {
        let ProfilePatch { key, fields, expires_ms } = patch;
        Patch { profile: key, received_ms: time(received_ms), expires_ms: time(expires_ms), fields }
    }

    /// What a script takes after the profile's key: expiry and fields.
    pub(super) fn fields_arguments(&self, into: &mut Vec<Vec<u8>>) {
        into.push(number(self.expires_ms));
        into.push(number(self.fields.len() as u64));
        for field in &self.fields {
            into.push(field.name.clone().into_bytes());
            into.push(number(time(field.seen_ms)));
            into.push(field.value.clone().into_bytes());
        }
    }
}

/// Changes as the outbox holds them; nothing for none.
pub(super) fn write(patches: &[&Patch]) -> Vec<u8> {
    let mut out = Vec::new();
    if patches.is_empty() {
        return out;
    }
    // Writing to memory does not fail, and there are fewer than four thousand million.
    let _ = encode::write_array_len(&mut out, patches.len() as u32);
    for patch in patches {
        let _ = encode::write_array_len(&mut out, 4);
        pack::text(&mut out, patch.profile.as_bytes());
        let _ = encode::write_uint(&mut out, patch.received_ms);
        let _ = encode::write_uint(&mut out, patch.expires_ms);
        let _ = encode::write_array_len(&mut out, 3 * patch.fields.len() as u32);
        for field in &patch.fields {
            pack::text(&mut out, field.name.as_bytes());
            let _ = encode::write_uint(&mut out, time(field.seen_ms));
            pack::text(&mut out, field.value.as_bytes());
        }
    }
    out
}

pub(super) fn read(bytes: &[u8]) -> Option<Vec<Patch>> {
    let mut from = Cursor::new(bytes);
    let count = decode::read_array_len(&mut from).ok()?;
    let mut patches = Vec::new();
    for _ in 0..count {
        decode::read_array_len(&mut from).ok().filter(|length| *length == 4)?;
        let profile = read_text(&mut from)?;
        let (received_ms, expires_ms) = (read_number(&mut from)?, read_number(&mut from)?);
        let mut fields = Vec::new();
        for _ in 0..decode::read_array_len(&mut from).ok()? / 3 {
            let (name, seen_ms) = (read_text(&mut from)?, read_number(&mut from)?);
            fields.push(ProfileField { name, seen_ms, value: read_text(&mut from)? });
        }
        patches.push(Patch { profile, received_ms, expires_ms, fields });
    }
    Some(patches)
}

/// Changes of profiles of one partition.
#[derive(Default)]
struct Group {
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
    /// Whose each of them is, as positions in what is delivered.
    of: Vec<usize>,
}

/// Writes changes to their profiles, and takes those that were written out of their outboxes. What fails stays there.
pub(super) async fn deliver(link: &Link, keys: &Keys, left: Vec<Left>) {
    if left.is_empty() {
        return;
    }
    let mut groups: BTreeMap<u16, Group> = BTreeMap::new();
    for (index, one) in left.iter().enumerate() {
        for patch in &one.patches {
            let (partition, key) = keys.profile(&patch.profile);
            let group = groups.entry(partition).or_default();
            group.keys.push(key);
            group.args.push(number(patch.received_ms));
            patch.fields_arguments(&mut group.args);
            group.of.push(index);
        }
    }
    let mut indices = Vec::with_capacity(groups.len());
    let mut calls = Vec::with_capacity(groups.len());
    for (partition, Group { keys, mut args, of }) in groups {
        args.insert(0, "patch".into());
        indices.push(of);
        calls.push(Call { script: &PATCH, partition, keys, args });
    }
    let mut failed = vec![false; left.len()];
    for (of, answer) in indices.into_iter().zip(link.run(Lane::Work, calls, Confirm::Nothing).await) {
        if let Err(trouble) = answer {
            tracing::warn!("changes of profiles stay in the outbox: {trouble}");
            of.into_iter().for_each(|index| failed[index] = true);
        }
    }
    let mut written: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
    for (one, _) in left.into_iter().zip(failed).filter(|(_, failed)| !failed) {
        written.entry(one.partition).or_default().push(one.reference);
    }
    let clear = |(partition, args)| Call { script: &CLEAR, partition, keys: keys.script(partition, []), args };
    // Were they not taken out, they would be written once more: no harm.
    let _ = link.run(Lane::Work, written.into_iter().map(clear).collect(), Confirm::Nothing).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outbox_holds_is_read_again() {
        let field = ProfileField { name: "email".into(), value: "a@b.example".into(), seen_ms: 7 };
        let patch = ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 90 };
        let patches = vec![Patch::new(patch, 5)];
        let written = write(&patches.iter().collect::<Vec<_>>());
        assert_eq!(read(&written), Some(patches));
        assert!(write(&[]).is_empty());
        for cut in 0..written.len() {
            assert_eq!(read(&written[..cut]), None);
        }
    }
}
