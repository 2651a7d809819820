//! Lists what `tidegate plugin new` writes: the templates, the contract, and the plugin SDK's sources, which a stranger's
//! project builds with because the SDK is on no registry.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use toml::{Table, Value};

/// The SDK's own features that a plugin's project has no use for, with what they need.
const LEFT_OUT: &str = "build";
/// What a project has as the worked example of its language has it: helpers, types, and the tools' versions.
const OF_JAVASCRIPT: [&str; 5] = [".gitignore", "jsconfig.json", "src/tidegate.js", "support", "types"];
const OF_PYTHON: [&str; 6] =
    [".gitignore", "bindings", "requirements.txt", "src/tidegate.py", "tests/__init__.py", "tests/example.py"];

fn main() -> Result<()> {
    let own = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let workspace = own.parent().context("the gateway lies in no workspace")?;
    let sdk = workspace.join("plugin-sdk");
    for path in ["Cargo.toml", "wit", "plugin-sdk", "gateway/assets/templates", "docs/schemas/plugin.json"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    let (templates, examples) = (own.join("assets/templates"), workspace.join("examples"));
    let javascript = with_shared(&templates.join("js"), &examples.join("javascript"), &OF_JAVASCRIPT)?;
    let python = with_shared(&templates.join("python"), &examples.join("python"), &OF_PYTHON)?;
    let manifest = out.join("plugin-sdk.toml");
    fs::write(&manifest, standalone(&workspace.join("Cargo.toml"), &sdk.join("Cargo.toml"))?)?;

    let mut vendored = vec![("vendor/plugin-sdk/Cargo.toml".to_owned(), manifest)];
    let sources = files(&sdk.join("src"), "vendor/plugin-sdk/src")?;
    let is_builder = |name: &str| name.starts_with("vendor/plugin-sdk/src/build");
    vendored.extend(sources.into_iter().filter(|(name, _)| !is_builder(name)));
    vendored.push(("vendor/plugin-sdk/README.md".to_owned(), sdk.join("README.md")));
    vendored.extend(files(&workspace.join("wit"), "vendor/wit")?);
    // The SDK reads it from there.
    vendored.push(("vendor/docs/schemas/plugin.json".to_owned(), workspace.join("docs/schemas/plugin.json")));
    let contract = vec![("wit/destination.wit".to_owned(), workspace.join("wit/destination.wit"))];
    let mut common = files(&templates.join("common"), "")?;
    common.push(("schemas/plugin.json".to_owned(), workspace.join("docs/schemas/plugin.json")));

    let mut text = String::new();
    for (name, files) in [
        ("COMMON", common),
        ("CONTRACT", contract),
        ("SDK", vendored),
        ("RUST", files(&templates.join("rust"), "")?),
        ("JAVASCRIPT", javascript),
        ("PYTHON", python),
    ] {
        writeln!(text, "const {name}: &[(&str, &str)] = &[")?;
        for (name, path) in files {
            writeln!(text, "    ({name:?}, include_str!({path:?})),")?;
        }
        writeln!(text, "];")?;
    }
    fs::write(out.join("templates.rs"), text).context("write the list of templates")
}

/// A language's template with what it takes from its example.
fn with_shared(template: &Path, example: &Path, shared: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut all = files(template, "")?;
    for name in shared {
        let path = example.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        match path.is_dir() {
            true => all.extend(files(&path, name)?),
            false => all.push(((*name).to_owned(), path)),
        }
    }
    all.sort();
    Ok(all)
}

/// Every file below a folder, in order, by its name in the project.
fn files(folder: &Path, prefix: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list `{}`", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a template has an odd name")?;
        // What a tool left behind when somebody tried a template where it lies.
        if ["target", "node_modules", "__pycache__"].contains(&name) {
            continue;
        }
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        match path.is_dir() {
            true => found.extend(files(&path, &name)?),
            false => found.push((name, path)),
        }
    }
    found.sort();
    Ok(found)
}

/// The SDK's `Cargo.toml` as it has to be outside of this workspace: nothing is inherited.
fn standalone(workspace: &Path, sdk: &Path) -> Result<String> {
    let read = |path: &Path| -> Result<Table> {
        let text = fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
        text.parse().with_context(|| format!("parse `{}`", path.display()))
    };
    let (workspace, mut sdk) = (read(workspace)?, read(sdk)?);
    let inherited = workspace.get("workspace").and_then(Value::as_table).context("no [workspace]")?;
    let package = sdk.get_mut("package").and_then(Value::as_table_mut).context("no [package]")?;
    for (key, value) in package.iter_mut().filter(|(_, value)| is_inherited(value)) {
        *value = inherited.get("package").and_then(|package| package.get(key)).context("nothing to inherit")?.clone();
    }
    let features = sdk.get_mut("features").and_then(Value::as_table_mut).context("no [features]")?;
    let dropped = features.remove(LEFT_OUT).context("no feature to leave out")?;
    let dropped: Vec<&str> = dropped.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let dependencies = sdk.get_mut("dependencies").and_then(Value::as_table_mut).context("no [dependencies]")?;
    dependencies.retain(|name, _| !dropped.contains(&format!("dep:{name}").as_str()));
    for (name, dependency) in dependencies.iter_mut() {
        *dependency = resolved(name, dependency, inherited)?;
    }
    sdk.remove("dev-dependencies");
    sdk.remove("lints");
    Ok(toml::to_string(&sdk)?)
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// A dependency with the workspace's version and features in it.
fn resolved(name: &str, dependency: &Value, inherited: &Table) -> Result<Value> {
    if !is_inherited(dependency) {
        return Ok(dependency.clone());
    }
    let base = inherited.get("dependencies").and_then(|all| all.get(name)).with_context(|| format!("no `{name}`"))?;
    let mut whole = match base {
        Value::String(version) => Table::from_iter([("version".to_owned(), Value::String(version.clone()))]),
        other => other.as_table().context("an odd dependency")?.clone(),
    };
    for (key, value) in dependency.as_table().into_iter().flatten().filter(|(key, _)| *key != "workspace") {
        match (whole.get_mut(key).and_then(Value::as_array_mut), value.as_array()) {
            (Some(features), Some(more)) => features.extend(more.iter().cloned()),
            _ => drop(whole.insert(key.clone(), value.clone())),
        }
    }
    Ok(Value::Table(whole))
}
