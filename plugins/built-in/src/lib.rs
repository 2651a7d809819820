//! The destinations that come with the gateway, compiled to components and embedded: one file deploys.
//!
//! Owns the list. Each plugin lives in a folder beside this crate's, with its manifest, its fixtures and its tests; the
//! build script compiles every folder that has a `plugin.toml`. Instantiates nothing.

#![warn(missing_docs)]

/// A plugin that is embedded in this library.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name, which is its folder's and its manifest's.
    pub name: &'static str,
    /// The component, with the manifest and the fixtures in custom sections.
    pub wasm: &'static [u8],
    /// The text of its `plugin.toml`.
    pub manifest: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The plugin with this name.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|plugin| plugin.name == name)
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::build::surface;
    use tidegate_plugin_sdk::manifest::{Fixtures, Manifest, extract};

    use super::*;

    #[test]
    fn every_built_in_imports_nothing() {
        for plugin in BUILT_IN {
            let surface = surface(plugin.wasm).unwrap();
            assert_eq!(surface.imports, Vec::<String>::new(), "{}", plugin.name);
            assert_eq!(surface.exports, ["tidegate:destination/plugin@0.2.0"], "{}", plugin.name);
        }
    }

    #[test]
    fn every_built_in_carries_a_sound_manifest_with_its_own_name() {
        for plugin in BUILT_IN {
            assert_eq!(extract(plugin.wasm), Ok(plugin.manifest));
            let manifest = Manifest::parse(plugin.manifest).unwrap();
            assert_eq!(manifest.name, plugin.name);
            assert_eq!(find(&manifest.name).unwrap().wasm, plugin.wasm);
        }
    }

    #[test]
    fn every_built_in_carries_the_fixtures_of_its_folder() {
        for plugin in BUILT_IN {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(plugin.name).join("fixtures");
            let fixtures = Fixtures::read(&folder).unwrap();
            assert!(fixtures.len() > 10, "{}", plugin.name);
            assert_eq!(Fixtures::extract(plugin.wasm).unwrap(), fixtures, "{}", plugin.name);
        }
    }

    #[test]
    fn every_built_in_is_small() {
        for plugin in BUILT_IN {
            println!("{}: {} KiB", plugin.name, plugin.wasm.len() >> 10);
            assert!(plugin.wasm.len() < 512 << 10, "{} has {} bytes", plugin.name, plugin.wasm.len());
        }
    }

    #[test]
    fn every_folder_of_a_plugin_is_built_in() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap();
        let count = folders.filter(|entry| entry.as_ref().unwrap().path().join("plugin.toml").exists()).count();
        assert_eq!(BUILT_IN.len(), count);
    }
}
