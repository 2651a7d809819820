//! A plugin's project: the folder that `tidegate plugin new` makes, whole, from this program alone.
//!
//! Owns the templates and their names. Overwrites nothing, builds nothing and fetches nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tidegate_plugin_sdk::build::Language;

// COMMON, CONTRACT, SDK, RUST, JAVASCRIPT and PYTHON: paths in the project, and what is in the files.
include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What the templates are called, each form of which becomes the plugin's name.
const KEBAB: &str = "my-plugin";
const SNAKE: &str = "my_plugin";
const CAMEL: &str = "MyPlugin";
/// Names that no crate can have.
const RESERVED: [&str; 47] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate",
    "deps", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "std",
    "struct", "super", "test", "trait", "true", "type", "use",
];

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is no name for a plugin")]
    Name(String),
    #[error("`{}` is there already, and it is not empty", .0.display())]
    Taken(PathBuf),
    #[error("write `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// How to mend it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Name(name) => {
                let rule = "lower-case letters, digits and hyphens, a letter first, at most 64";
                Some(match resembling(name) {
                    Some(name) => format!("{rule}: `{name}` would do"),
                    None => rule.to_owned(),
                })
            }
            Error::Taken(_) => Some("choose another name, or empty it".to_owned()),
            Error::Write { .. } => None,
        }
    }
}

/// Makes the project of a plugin of this name, in a folder that is not there yet or empty. Answers its files.
///
/// # Errors
/// When the name is none, the folder is not empty, or it cannot be written.
pub fn create(folder: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>, Error> {
    if !is_name(name) {
        return Err(Error::Name(name.to_owned()));
    }
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(Error::Taken(folder.to_owned())),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::Write { path: folder.to_owned(), source }),
    }
    files(name, language).into_iter().map(|(path, text)| write(&folder.join(path), &text)).collect()
}

/// The project's files: their paths in it, and what is in them.
fn files(name: &str, language: Language) -> Vec<(&'static str, String)> {
    let (own, more) = match language {
        Language::Rust => (RUST, SDK),
        Language::JavaScript => (JAVASCRIPT, CONTRACT),
        Language::Python => (PYTHON, CONTRACT),
    };
    let limits = own.iter().find(|(path, _)| *path == LIMITS).map_or("", |(_, text)| text);
    let named =
        |text: &str| text.replace(KEBAB, name).replace(SNAKE, &name.replace('-', "_")).replace(CAMEL, &camel(name));
    let mine = COMMON.iter().chain(own.iter().filter(|(path, _)| *path != LIMITS));
    let mine = mine.map(|(path, text)| match *path {
        // Each language needs its own limits: they end the manifest.
        "plugin.toml" => (*path, named(text) + limits),
        path => (path, named(text)),
    });
    mine.chain(more.iter().map(|(path, text)| (*path, (*text).to_owned()))).collect()
}

const LIMITS: &str = "limits.toml";

fn write(path: &Path, text: &str) -> Result<PathBuf, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(path.to_owned())
}

fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= 64
        && name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !RESERVED.contains(&name)
}

/// A name that is meant by what is none.
fn resembling(name: &str) -> Option<String> {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    [parts.join("-"), format!("{}-plugin", parts.join("-"))].into_iter().find(|name| is_name(name))
}

/// `acme-ads` as `AcmeAds`.
fn camel(name: &str) -> String {
    let capital = |part: &str| part.get(..1).unwrap_or_default().to_uppercase() + part.get(1..).unwrap_or_default();
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::{Manifest, WORLD};

    use super::*;

    #[test]
    fn every_language_has_a_manifest_that_holds_and_nothing_of_the_templates_name() {
        for (language, file) in Language::ALL {
            let files = files("acme-ads", language);
            let text = |path: &str| files.iter().find(|(known, _)| *known == path).map(|(_, text)| text.as_str());
            let manifest = Manifest::parse(text("plugin.toml").unwrap()).unwrap();
            assert_eq!((manifest.name.as_str(), manifest.world.as_str()), ("acme-ads", WORLD), "{language:?}");
            assert!(text(file).unwrap().contains("acme-ads") || language == Language::Python, "{language:?}");
            assert!(text(LIMITS).is_none(), "{language:?}");
            for path in ["README.md", ".gitignore", "fixtures/purchase.json", "schemas/plugin.json"] {
                assert!(text(path).is_some(), "{language:?} has no {path}");
            }
            let mut own = files.iter().filter(|(path, _)| !path.starts_with("vendor/"));
            let left = own.find(|(_, text)| [KEBAB, SNAKE, CAMEL].iter().any(|form| text.contains(form)));
            assert_eq!(left.map(|(path, _)| path), None, "{language:?}");
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious.txt"), "mine").unwrap();
        let error = create(dir.path(), "acme", Language::Python).unwrap_err();
        assert!(error.to_string().ends_with("is there already, and it is not empty"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        let written = create(dir.path(), "acme", Language::Rust).unwrap();
        assert!(written.iter().all(|path| path.is_file()));
        assert!(fs::read_to_string(dir.path().join("src/lib.rs")).unwrap().contains("pub struct Acme;"));
        assert!(dir.path().join("vendor/wit/destination.wit").is_file());
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_one_that_would_do() {
        for (name, hint) in [
            ("Acme Ads", Some("acme-ads")),
            ("acme_ads", Some("acme-ads")),
            ("../acme", Some("acme")),
            ("match", Some("match-plugin")),
            ("4711", None),
            ("", None),
        ] {
            let error = create(Path::new("nowhere"), name, Language::Rust).unwrap_err();
            assert!(matches!(&error, Error::Name(refused) if refused == name), "{error}");
            let hinted = error.hint().unwrap();
            assert_eq!(hinted.split('`').nth(1), hint, "{name}: {hinted}");
        }
        assert!(is_name("ga4") && is_name("acme-ads-2") && !is_name("acme-"));
    }

    #[test]
    fn the_vendored_sdk_inherits_nothing() {
        let (_, manifest) = SDK.iter().find(|(path, _)| *path == "vendor/plugin-sdk/Cargo.toml").unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(!manifest.contains("wit-component"), "{manifest}");
        assert!(SDK.iter().any(|(path, _)| *path == "vendor/plugin-sdk/src/lib.rs"));
        assert!(!SDK.iter().any(|(path, _)| path.contains("src/build")));
    }
}
