//! `tidegate plugin verify`: whose signature a plugin's file carries. Parses nothing of the file.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, clean};
use super::super::{ConfigFile, Variables};
use super::bytes_of;
use crate::config::{Key, Publisher};
use crate::permissions::signature::{self, Signed, Standing};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The `.wasm` file; its signature lies beside it, `FILE.minisig`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key, `RWQ…`, or the file that minisign made of it; those of the configuration where none is given
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// The publisher of a key that was given without a name.
const ANYBODY: &str = "the key's owner";

#[derive(Debug, Serialize)]
struct Report {
    file: String,
    #[serde(flatten)]
    signed: Signed,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let file = arguments.file.display().to_string();
    let keys: Result<Vec<Key>, Failure> = arguments.keys.iter().map(|key| self::key(key)).collect();
    let publishers = match keys? {
        keys if keys.is_empty() => arguments.config.load(Variables::Optional)?.plugins.publishers,
        keys => vec![Publisher { name: ANYBODY.to_owned(), keys, retired_keys: Vec::new() }],
    };
    if publishers.is_empty() {
        let failure = Failure::new(Exit::Usage, "there is no key to verify by");
        return Err(failure.hint("add `--key RWQ…`, or `[[plugins.publisher]]` to the configuration"));
    }
    let wasm = bytes_of(&file)?;
    let refused =
        |error: signature::Error| Failure::of(Exit::No, &format!("`{}`", clean(&file)), &error).hint(error.hint());
    let missing = || signature::Error::Missing { path: signature::beside(&arguments.file) };
    let text = signature::read(&arguments.file).and_then(|text| text.ok_or_else(missing)).map_err(refused)?;
    let signed = signature::verify(&wasm, &text, &publishers).map_err(refused)?;
    out.data(&Report { file, signed }, |Report { file, signed }, paint| {
        let Signed { signer, standing, comment } = signed;
        let retired = match standing {
            Standing::Current => "",
            Standing::Retired => ", which is retired: good for what the lock holds already",
        };
        let head = format!("{} `{}` is signed by {}", paint.green("ok"), clean(file), clean(&signer.publisher));
        format!("{head} (key {}{retired})\n   it says: {}", signer.key, clean(comment))
    });
    Ok(())
}

/// A public key, or the file that holds it.
pub(super) fn key(text: &str) -> Result<Key, Failure> {
    if let Some(key) = Key::parse(text) {
        return Ok(key);
    }
    let failure = match std::fs::read_to_string(text) {
        Ok(content) => match Key::parse(&content) {
            Some(key) => return Ok(key),
            None => Failure::new(Exit::Data, format!("`{}` holds no minisign public key", clean(text))),
        },
        Err(error) => Failure::of(Exit::NotFound, &format!("`{}` is neither a key nor a file", clean(text)), &error),
    };
    Err(failure.hint("a key begins with `RW` and has 56 characters; `minisign -G` makes a pair"))
}
