//! Turns a plugin's sources into a checked component that carries its manifest: for build scripts and tools.
//!
//! Owns what a finished component must look like, and for each language how it comes about. Runs nothing but the
//! language's own tools.

mod error;
mod javascript;
mod project;
mod python;
mod rust;
mod surface;
mod tool;

use wit_component::ComponentEncoder;

pub use error::BuildError;
pub use project::{Language, Project, write_whole};
pub use rust::{Compilation, LINK_ARGS, TARGET};
pub use surface::{Surface, surface};

use crate::manifest::{Manifest, WORLD, embed};

/// Makes a component of a plugin's core module, checks it, and embeds the manifest.
///
/// # Errors
/// When the manifest has mistakes, or the plugin imports anything, or does not export the manifest's world.
pub fn component(core_module: &[u8], manifest_toml: &str) -> Result<Vec<u8>, BuildError> {
    let manifest = Manifest::parse(manifest_toml).map_err(BuildError::Manifest)?;
    let imports = surface::module_imports(core_module)?;
    if !imports.is_empty() {
        return Err(BuildError::Imports(imports));
    }
    let encode = |module| ComponentEncoder::default().validate(true).module(module)?.encode();
    let component = encode(core_module).map_err(|e| BuildError::Encode(format!("{e:#}")))?;
    finish(&component, manifest_toml, &manifest)
}

/// Checks a component, and embeds the manifest.
fn finish(component: &[u8], manifest_toml: &str, manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
    let surface = surface(component)?;
    if !surface.imports.is_empty() {
        return Err(BuildError::Imports(surface.imports));
    }
    let expected = interface(&manifest.world);
    if surface.exports != [expected.clone()] {
        return Err(BuildError::World { expected, found: surface.exports });
    }
    Ok(embed(component, manifest_toml))
}

/// The interface that a world exports: `tidegate:destination/plugin@0.2.0` for `tidegate:destination@0.2.0`.
fn interface(world: &str) -> String {
    let (package, version) = world.split_once('@').unwrap_or((WORLD, ""));
    format!("{package}/plugin@{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics"]
endpoints.events.url = "https://acme.example/events"
"#;

    fn built(wat: &str, manifest: &str) -> String {
        component(&wat::parse_str(wat).unwrap(), manifest).unwrap_err().to_string()
    }

    #[test]
    fn an_import_is_refused_by_its_name() {
        let clock = r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func)) (import "env" "f" (func)))"#;
        let message = built(clock, MANIFEST);
        assert!(
            message.starts_with("the plugin imports `wasi_snapshot_preview1::clock_time_get`, `env::f`:"),
            "{message}"
        );
        assert!(message.contains("\nhint: "), "{message}");
    }

    #[test]
    fn a_module_that_exports_no_plugin_is_told_what_to_say() {
        let message = built("(module)", MANIFEST);
        assert!(
            message.starts_with("the plugin does not export `tidegate:destination/plugin@0.2.0` alone, but nothing"),
            "{message}"
        );
        assert!(message.contains("export!(MyPlugin)"), "{message}");
    }

    #[test]
    fn a_manifest_with_mistakes_is_refused_first() {
        assert!(built("(module)", "name = 1").contains("line 1"));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(matches!(component(b"\0asm garbage", MANIFEST), Err(BuildError::Parse(_))));
    }
}
