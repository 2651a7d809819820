//! Settings: one small hash, in the first partition. What they mean is somebody else's business.

use redis::Value;

use super::commit::Shop;
use super::link::{Call, Lane, Read};
use super::read::command;
use super::scripts::SET;
use super::value::{array, int, optional};
use crate::{Error, Setting};

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Set,
    /// What is here already stays.
    Add,
    Delete,
}

/// All of them, by their names.
pub(super) async fn all(shop: &Shop, operation: &'static str) -> Result<Vec<Setting>, Error> {
    let (_, key) = shop.keys.settings();
    let answer = shop.ask(operation, vec![Read { cmd: command("HGETALL", &key), key }]).await?;
    let mut values = array(operation, answer.into_iter().next().unwrap_or(Value::Nil))?.into_iter();
    let text = |value| optional(value).and_then(|bytes| String::from_utf8(bytes).ok());
    let mut settings = Vec::new();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        settings.extend(text(name).zip(text(value)).map(|(name, value)| Setting { name, value }));
    }
    // The server has them in no order.
    settings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(settings)
}

/// Writes settings; gives how many changed.
pub(super) async fn write(
    shop: &Shop,
    operation: &'static str,
    manner: Manner,
    settings: Vec<Setting>,
) -> Result<usize, Error> {
    if settings.is_empty() {
        return Ok(0);
    }
    let (partition, key) = shop.keys.settings();
    let mut args = shop.identity.arguments(&shop.keys, partition).to_vec();
    args.push(manner.name().into());
    args.extend(settings.into_iter().flat_map(|setting| [setting.name.into_bytes(), setting.value.into_bytes()]));
    let call = Call { script: &SET, partition, keys: vec![key], args };
    match shop.link.run(Lane::Work, vec![call], shop.confirm).await.into_iter().next() {
        Some(answer) => {
            let changed = int(operation, &answer.map_err(|trouble| trouble.into_error(operation))?)?;
            Ok(usize::try_from(changed).unwrap_or(0))
        }
        None => Ok(0),
    }
}

impl Manner {
    fn name(self) -> &'static str {
        match self {
            Manner::Set => "set",
            Manner::Add => "add",
            Manner::Delete => "delete",
        }
    }
}
