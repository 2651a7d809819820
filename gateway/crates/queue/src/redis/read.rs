//! Reads: traces, the newest entries, profiles. Plain commands, to all partitions where nobody knows which.

use redis::{Cmd, Value};

use super::commit::Shop;
use super::keys::{Fixed, reference_in};
use super::link::Read;
use super::pack;
use super::value::{array, optional};
use super::whole::Payloads;
use crate::{Error, Journal, ProfileField};

pub(super) async fn find(shop: &Shop, id: &str) -> Result<Vec<Journal>, Error> {
    let scopes = shop.ask_all("find", Fixed::Scope, |key| command("SMEMBERS", key)).await?;
    let mut wanted = Vec::new();
    for (partition, scopes) in (0..).zip(scopes) {
        for scope in array("find", scopes)?.into_iter().filter_map(optional) {
            let scope = String::from_utf8_lossy(&scope).into_owned();
            wanted.push((partition, reference_in(&scope, id)));
        }
    }
    let found = shop.whole("find", &wanted, Payloads::With).await?;
    let mut journals: Vec<_> = found.into_iter().map(|(_, whole)| whole.journal()).collect();
    journals.sort_by(|a, b| a.key.scope.cmp(&b.key.scope));
    Ok(journals)
}

pub(super) async fn recent(shop: &Shop, limit: usize) -> Result<Vec<Journal>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let newest = shop
        .ask_all("recent", Fixed::Journal, |key| {
            let mut cmd = command("ZREVRANGE", key);
            cmd.arg(0).arg(limit - 1).arg("WITHSCORES");
            cmd
        })
        .await?;
    let mut places = Vec::new();
    for (partition, newest) in (0u16..).zip(newest) {
        let mut values = array("recent", newest)?.into_iter();
        while let (Some(reference), Some(received)) = (values.next(), values.next()) {
            let received_ms = number(received);
            places.extend(optional(reference).map(|reference| (received_ms, partition, reference)));
        }
    }
    places.sort_by(|a, b| b.cmp(a));
    places.truncate(limit);
    let wanted: Vec<_> = places.into_iter().map(|(_, partition, reference)| (partition, reference)).collect();
    let found = shop.whole("recent", &wanted, Payloads::Without).await?;
    Ok(found.into_iter().map(|(_, whole)| whole.journal()).collect())
}

pub(super) async fn profile(shop: &Shop, profile: &str, now_ms: u64) -> Result<Vec<ProfileField>, Error> {
    let (_, key) = shop.keys.profile(profile);
    let answer = shop.ask("profile", vec![Read { cmd: command("HGETALL", &key), key }]).await?;
    let fields = profile_fields(answer.into_iter().next().unwrap_or(Value::Nil))?;
    let alive = fields.into_iter().filter(|(_, expires_ms)| *expires_ms > now_ms);
    let mut fields: Vec<_> = alive.map(|(field, _)| field).collect();
    // The server has them in no order.
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fields)
}

/// One field of many profiles, each at its key's position: one batch of reads.
pub(super) async fn profile_field(
    shop: &Shop,
    name: &str,
    profiles: &[String],
    now_ms: u64,
) -> Result<Vec<Option<ProfileField>>, Error> {
    let reads = profiles.iter().map(|profile| {
        let (_, key) = shop.keys.profile(profile);
        let mut cmd = command("HGET", &key);
        cmd.arg(name);
        Read { cmd, key }
    });
    let answers = shop.ask("profile field", reads.collect()).await?.into_iter();
    let alive = |value: Value| {
        let (field, expires_ms) = pack::profile_field(name, &optional(value)?)?;
        (expires_ms > now_ms).then_some(field)
    };
    Ok(answers.map(alive).collect())
}

/// All fields of a profile, each with its expiry.
pub(super) fn profile_fields(answer: Value) -> Result<Vec<(ProfileField, u64)>, Error> {
    let mut values = array("profile", answer)?.into_iter();
    let mut fields = Vec::new();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        let name = optional(name).and_then(|name| String::from_utf8(name).ok());
        let field = name.zip(optional(value)).and_then(|(name, value)| pack::profile_field(&name, &value));
        // What cannot be read is no field; the next change overwrites it.
        fields.extend(field);
    }
    Ok(fields)
}

pub(super) fn command(name: &str, key: &[u8]) -> Cmd {
    let mut cmd = redis::cmd(name);
    cmd.arg(key);
    cmd
}

/// A score; whoever asked in RESP2 gets it as text.
pub(super) fn number(value: Value) -> u64 {
    let text = match value {
        Value::Double(score) => return score as u64,
        Value::Int(n) => return u64::try_from(n).unwrap_or(0),
        other => optional(other).unwrap_or_default(),
    };
    std::str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) as u64
}
