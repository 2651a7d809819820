//! Finds the platforms that the plugins' folders bring: `plugins/<name>/fake/platform.rs`, and how a destination of the
//! plugin is configured, `destination.toml`, beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name.to_owned()));
    let plugins = variable("CARGO_MANIFEST_DIR")?.join("../../plugins").canonicalize()?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&plugins)? {
        let entry = entry?;
        if !entry.path().join("plugin.toml").is_file() {
            continue;
        }
        let fake = entry.path().join("fake");
        rerun_if_changed(&fake);
        if fake.join("platform.rs").is_file() {
            names.push(entry.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?}")))?);
        }
    }
    // A new plugin is a new package.
    rerun_if_changed(&plugins.join("../Cargo.lock"));
    names.sort();
    let (mut modules, mut list) = (String::new(), String::from("/// Every plugin that brings a fake, by name.\n"));
    list += "pub const KINDS: &[Kind] = &[\n";
    for name in &names {
        let (module, fake) = (name.replace('-', "_"), plugins.join(name).join("fake"));
        let (platform, destination) = (fake.join("platform.rs"), fake.join("destination.toml"));
        // Writing to a string does not fail.
        let _ = writeln!(modules, "#[path = {platform:?}]\npub(crate) mod {module};");
        let _ = writeln!(
            list,
            "    Kind {{ plugin: {name:?}, settings: include_str!({destination:?}), \
             platform: || std::sync::Arc::new({module}::platform()) }},"
        );
    }
    list += "];\n";
    fs::write(variable("OUT_DIR")?.join("platforms.rs"), modules + &list)
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
