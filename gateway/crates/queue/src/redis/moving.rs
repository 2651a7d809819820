//! Moves what is stored to another store and from one: entries partition by partition, then profiles, then settings.

use redis::Value;

use super::commit::Shop;
use super::keys::Fixed;
use super::link::{Call, Lane, Read, Shape};
use super::pack::{number, time};
use super::read::{command, profile_fields};
use super::scripts::PATCH;
use super::settings;
use super::value::{Answer, array, int, optional};
use super::whole::Payloads;
use crate::{Cursor, Error, Export, Item, StoredEntry, StoredProfile};

/// A page ends when its entries are so large.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Entries that are read at once.
const STEP: usize = 32;
/// How many keys one step of SCAN looks at.
const SCAN_COUNT: usize = 500;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    /// In a partition, after so many entries.
    Entry { partition: u16, rank: usize },
    /// In a partition's profiles, at a cursor of SCAN.
    Profile { partition: u16, cursor: u64 },
}

impl At {
    fn read(cursor: &Cursor) -> Result<At, Error> {
        let odd = || Error::Corrupt { what: format!("the cursor `{}`", cursor.0), why: "no export gave it".into() };
        let mut parts = cursor.0.splitn(3, ' ');
        let (kind, first, second) = (parts.next(), parts.next(), parts.next());
        match (kind, first, second) {
            (Some("entry"), Some(partition), Some(rank)) => Ok(At::Entry {
                partition: partition.parse().map_err(|_| odd())?,
                rank: rank.parse().map_err(|_| odd())?,
            }),
            (Some("profile"), Some(partition), Some(cursor)) => Ok(At::Profile {
                partition: partition.parse().map_err(|_| odd())?,
                cursor: cursor.parse().map_err(|_| odd())?,
            }),
            _ => Err(odd()),
        }
    }

    fn write(&self) -> Cursor {
        Cursor(match self {
            At::Entry { partition, rank } => format!("entry {partition} {rank}"),
            At::Profile { partition, cursor } => format!("profile {partition} {cursor}"),
        })
    }
}

pub(super) async fn export(shop: &Shop, after: Option<Cursor>, limit: usize) -> Result<Export, Error> {
    let mut after = after;
    loop {
        let at = after.as_ref().map_or(Ok(At::Entry { partition: 0, rank: 0 }), At::read)?;
        let page = match at {
            At::Entry { partition, rank } => entries(shop, partition, rank, limit.max(1)).await?,
            At::Profile { partition, cursor } => profiles(shop, partition, cursor).await?,
        };
        // Many steps of SCAN find nothing.
        if !page.items.is_empty() || page.next.is_none() {
            return Ok(page);
        }
        after = page.next;
    }
}

async fn entries(shop: &Shop, mut partition: u16, mut rank: usize, limit: usize) -> Result<Export, Error> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    while partition < shop.keys.partitions() && items.len() < limit && bytes < PAGE_BYTES_MAX {
        let key = shop.keys.fixed(partition, Fixed::Journal);
        let step = STEP.min(limit - items.len());
        let mut cmd = command("ZRANGE", &key);
        cmd.arg(rank).arg(rank + step - 1);
        let answer = shop.ask("export", vec![Read { key, cmd }]).await?.into_iter().next().unwrap_or(Value::Nil);
        let wanted: Vec<_> =
            array("export", answer)?.into_iter().filter_map(optional).map(|reference| (partition, reference)).collect();
        if wanted.is_empty() {
            (partition, rank) = (partition + 1, 0);
            continue;
        }
        rank += wanted.len();
        for (_, whole) in shop.whole("export", &wanted, Payloads::With).await? {
            let entry = whole.stored();
            bytes += size(&entry);
            items.push(Item::Entry(entry));
        }
    }
    let is_end = partition >= shop.keys.partitions();
    let next = if is_end { At::Profile { partition: 0, cursor: 0 } } else { At::Entry { partition, rank } };
    Ok(Export { items, next: Some(next.write()) })
}

fn size(entry: &StoredEntry) -> usize {
    let deliveries =
        entry.deliveries.iter().map(|one| one.payload.len() + one.records.iter().map(Vec::len).sum::<usize>());
    entry.record.len() + deliveries.sum::<usize>()
}

/// One step of SCAN. In a cluster each partition's profiles are looked for at its node: slow for many, but nothing that
/// is written again and again has to keep a list of them.
async fn profiles(shop: &Shop, partition: u16, cursor: u64) -> Result<Export, Error> {
    let is_one = shop.link.shape() == Shape::Single;
    let mut cmd = redis::cmd("SCAN");
    let pattern = shop.keys.profile_pattern((!is_one).then_some(partition));
    cmd.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT);
    let node = shop.keys.fixed(partition, Fixed::Entry);
    let answer = shop.ask("export", vec![Read { key: node, cmd }]).await?.into_iter().next().unwrap_or(Value::Nil);
    let mut answer = Answer::of("export", answer)?;
    let cursor = answer.count()?.unwrap_or(0);
    let keys: Vec<_> = array("export", answer.next()?)?.into_iter().filter_map(optional).collect();
    let next = match cursor {
        0 if is_one || partition + 1 >= shop.keys.partitions() => None,
        0 => Some(At::Profile { partition: partition + 1, cursor: 0 }),
        cursor => Some(At::Profile { partition, cursor }),
    };
    let reads = keys.iter().map(|key| Read { cmd: command("HGETALL", key), key: key.clone() }).collect();
    let answers = shop.ask("export", reads).await?;
    let mut items = Vec::new();
    for (key, answer) in keys.iter().zip(answers) {
        let profile = std::str::from_utf8(key).ok().and_then(|key| shop.keys.profile_of(key));
        let fields = profile_fields(answer)?;
        if let Some(profile) = profile.filter(|_| !fields.is_empty()) {
            items.push(Item::Profile(StoredProfile { key: profile.to_owned(), fields }));
        }
    }
    if next.is_none() {
        items.extend(settings::all(shop, "export").await?.into_iter().map(Item::Setting));
    }
    Ok(Export { items, next: next.map(|at| at.write()) })
}

/// Writes profiles of another store: field by field the newest wins, and of equally old ones what is here. Gives how
/// many changed.
pub(super) async fn import_profiles(shop: &Shop, profiles: Vec<StoredProfile>) -> Result<usize, Error> {
    let calls = profiles.into_iter().map(|profile| {
        let (partition, key) = shop.keys.profile(&profile.key);
        let (mut keys, mut args) = (Vec::new(), vec!["import".into()]);
        // Each field has an expiry of its own, so each is a change of its own; nothing has expired yet.
        for (field, expires_ms) in profile.fields {
            keys.push(key.clone());
            args.push(number(0));
            args.push(number(time(expires_ms)));
            args.push(number(1));
            args.push(field.name.into_bytes());
            args.push(number(time(field.seen_ms)));
            args.push(field.value.into_bytes());
        }
        Call { script: &PATCH, partition, keys, args }
    });
    let mut changed = 0;
    for answer in shop.link.run(Lane::Work, calls.collect(), shop.confirm).await {
        let written = answer.map_err(|trouble| trouble.into_error("import"))?;
        changed += usize::from(int("import", &written)? > 0);
    }
    Ok(changed)
}
