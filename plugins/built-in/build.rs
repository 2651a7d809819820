//! Compiles every plugin beside it for WebAssembly, makes components of them, and lists them for the library.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tidegate_plugin_sdk::build::{Compilation, component};
use tidegate_plugin_sdk::manifest::Fixtures;

fn main() -> Result<()> {
    let own = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let plugins = own.parent().context("the plugins lie in no folder")?;
    let workspace = plugins.parent().context("the plugins lie in no workspace")?;
    let names = discover(plugins)?;
    for path in ["Cargo.toml", "Cargo.lock", "wit", "plugin-sdk/Cargo.toml", "plugin-sdk/src"] {
        rerun_if_changed(&workspace.join(path));
    }
    for name in &names {
        for path in ["Cargo.toml", "plugin.toml", "fixtures", "src"] {
            rerun_if_changed(&plugins.join(name).join(path));
        }
    }
    let packages: Vec<String> = names.iter().map(|name| format!("tidegate-plugin-{name}")).collect();
    let target_dir = target_dir(&out).join("plugins");
    let arguments = ["--locked".to_owned()];
    let compilation = Compilation {
        workspace,
        packages: &packages,
        profile: "plugin",
        target_dir: &target_dir,
        arguments: &arguments,
    };
    let modules = if names.is_empty() { Vec::new() } else { compilation.run()? };

    let mut list =
        String::from("/// Every plugin that this repository has, by name.\npub const BUILT_IN: &[BuiltIn] = &[\n");
    for (name, module) in names.iter().zip(modules) {
        let manifest = plugins.join(name).join("plugin.toml");
        let text = fs::read_to_string(&manifest).with_context(|| format!("read `{}`", manifest.display()))?;
        let wasm = out.join(format!("{name}.wasm"));
        let bytes = component(&module, &text).with_context(|| format!("build the plugin `{name}`"))?;
        let folder = plugins.join(name).join("fixtures");
        let fixtures = Fixtures::read(&folder).with_context(|| format!("read the fixtures of `{name}`"))?;
        fs::write(&wasm, fixtures.embed(&bytes)).with_context(|| format!("write `{}`", wasm.display()))?;
        writeln!(
            list,
            "    BuiltIn {{ name: {name:?}, wasm: include_bytes!({wasm:?}), manifest: include_str!({manifest:?}) }},"
        )?;
    }
    list += "];\n";
    fs::write(out.join("built_in.rs"), list).context("write the list of plugins")
}

/// The folders that have a `plugin.toml`, in order.
fn discover(plugins: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins).with_context(|| format!("list `{}`", plugins.display()))? {
        let entry = entry?;
        if entry.path().join("plugin.toml").is_file() {
            names.push(entry.file_name().into_string().ok().context("a plugin's folder has an odd name")?);
        }
    }
    names.sort();
    Ok(names)
}

/// The workspace's target directory, which cargo marks; the nested cargo gets a folder of its own in it, because this
/// one's lock is held by the cargo that waits for us.
fn target_dir(out: &Path) -> &Path {
    out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap_or(out)
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("cargo gives no `{name}`"))
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
