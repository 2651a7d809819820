//! A plugin's fixtures inside its component: a custom section beside the manifest's, so that whoever has the component
//! can run what its author tested it with.
//!
//! Owns the section's form and its bounds. Does not know what a fixture means; `testing` does.
//!
//! The section is a JSON object, `{"v": 1, "files": {"purchase.json": {…}}}`, deflated (RFC 1951).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use wasm_encoder::{ComponentSection, CustomSection};

use super::embed;

/// The name of the custom section that holds the fixtures.
pub const FIXTURES_SECTION: &str = "tidegate:fixtures";
/// The most that a component's fixtures may have together, inflated, in bytes.
pub const FIXTURES_BYTES_MAX: usize = 4 << 20;
/// The most fixtures of one component.
pub const FIXTURES_MAX: usize = 1_000;
const VERSION: u32 = 1;
/// The longest name of a fixture's file, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Deflate's levels go to 10; this one is the last that is quick.
const LEVEL: u8 = 9;

/// The fixtures of a plugin: JSON texts by the names of their files. Cloning is cheap.
///
/// As JSON they are their number: what is told of a component names no event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixtures(Arc<BTreeMap<String, String>>);

/// Why a plugin's fixtures cannot be read or embedded.
#[derive(Debug, thiserror::Error)]
pub enum FixturesError {
    /// A file or the folder cannot be read.
    #[error("read `{}`", path.display())]
    Io {
        /// The file or the folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not JSON.
    #[error("fixture `{name}` is no JSON: {reason}")]
    Json {
        /// The file's name.
        name: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A name is none that a fixture's file can have.
    #[error("fixture {0:?} has a name that is not `*.json`, or has a `/`, or is too long")]
    Name(String),
    /// There are too many, or they are too large.
    #[error(
        "the fixtures are {count} with {bytes} bytes; \
         a component carries at most {FIXTURES_MAX} with {FIXTURES_BYTES_MAX}"
    )]
    TooLarge {
        /// How many there are.
        count: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// The component's section is not what this version reads.
    #[error("has a `{FIXTURES_SECTION}` section that {0}")]
    Section(String),
}

#[derive(Deserialize)]
struct Stored<'a> {
    v: u32,
    #[serde(borrow)]
    files: BTreeMap<String, &'a RawValue>,
}

impl Fixtures {
    /// The fixtures of these names and texts.
    ///
    /// # Errors
    /// When a name or a text is none of a fixture, or there is too much of them.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Result<Fixtures, FixturesError> {
        let mut compact = BTreeMap::new();
        for (name, text) in files {
            if !is_name(&name) {
                return Err(FixturesError::Name(name));
            }
            let json: serde_json::Value = serde_json::from_str(&text)
                .map_err(|e| FixturesError::Json { name: name.clone(), reason: e.to_string() })?;
            compact.insert(name, json.to_string());
        }
        bounded(compact)
    }

    /// The `*.json` of a folder; none where there is no such folder.
    ///
    /// # Errors
    /// When one cannot be read or is no fixture, or there is too much of them.
    pub fn read(folder: &Path) -> Result<Fixtures, FixturesError> {
        let mut texts = Vec::new();
        for path in json_files(folder)? {
            let text = std::fs::read_to_string(&path).map_err(io(&path))?;
            texts.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
        }
        Fixtures::new(texts)
    }

    /// The fixtures that a component carries; none where it has no such section.
    ///
    /// # Errors
    /// When the component cannot be read, or its section is damaged, too large, of another version or there twice.
    pub fn extract(component: &[u8]) -> Result<Fixtures, FixturesError> {
        let odd = |what: &str| FixturesError::Section(what.to_owned());
        let found = embed::sections(component, FIXTURES_SECTION).map_err(FixturesError::Section)?;
        let data = match found[..] {
            [] => return Ok(Fixtures::default()),
            [data] => data,
            _ => return Err(odd("it has more than once")),
        };
        let text = decompress_to_vec_with_limit(data, FIXTURES_BYTES_MAX).map_err(|error| match error.status {
            TINFLStatus::HasMoreOutput => odd(&format!("inflates to more than {FIXTURES_BYTES_MAX} bytes")),
            _ => odd("cannot be inflated"),
        })?;
        let stored: Stored<'_> = serde_json::from_slice(&text).map_err(|e| odd(&format!("is no JSON of ours: {e}")))?;
        if stored.v != VERSION {
            return Err(odd(&format!("is of version {}; this version reads {VERSION}", stored.v)));
        }
        if let Some(name) = stored.files.keys().find(|name| !is_name(name)) {
            return Err(odd(&format!("names a file {name:?}")));
        }
        bounded(stored.files.into_iter().map(|(name, text)| (name, text.get().to_owned())).collect())
    }

    /// A component that carries these fixtures after all that it has, and none that it had before.
    pub fn embed(&self, component: &[u8]) -> Vec<u8> {
        let mut bytes = embed::without(component, FIXTURES_SECTION);
        if !self.is_empty() {
            let files: Vec<String> = self
                .0
                .iter()
                .map(|(name, text)| format!("{}:{text}", serde_json::Value::from(name.as_str())))
                .collect();
            let text = format!("{{\"v\":{VERSION},\"files\":{{{}}}}}", files.join(","));
            let data = Cow::Owned(compress_to_vec(text.as_bytes(), LEVEL));
            CustomSection { name: FIXTURES_SECTION.into(), data }.append_to_component(&mut bytes);
        }
        bytes
    }

    /// Each file's name and text.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fixtures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.len() as u64)
    }
}

/// The `*.json` of a folder, by their names; none where there is no such folder.
pub(crate) fn json_files(folder: &Path) -> Result<Vec<PathBuf>, FixturesError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io(folder))?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>();
    let mut paths = paths.map_err(io(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}

fn bounded(files: BTreeMap<String, String>) -> Result<Fixtures, FixturesError> {
    // What the names' quotation marks and the like add is little; the names themselves count.
    let bytes: usize = files.iter().map(|(name, text)| 2 * name.len() + text.len() + 4).sum::<usize>() + 32;
    if files.len() > FIXTURES_MAX || bytes > FIXTURES_BYTES_MAX {
        return Err(FixturesError::TooLarge { count: files.len(), bytes });
    }
    Ok(Fixtures(Arc::new(files)))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    name.strip_suffix(".json").is_some_and(|stem| !stem.is_empty())
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(plain)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> FixturesError {
    let path = path.to_owned();
    move |source| FixturesError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::Component;

    use super::*;

    fn fixtures(files: &[(&str, &str)]) -> Result<Fixtures, FixturesError> {
        Fixtures::new(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    fn with_section(data: &[u8]) -> Vec<u8> {
        let mut component = Component::new().finish();
        CustomSection { name: FIXTURES_SECTION.into(), data: Cow::Borrowed(data) }.append_to_component(&mut component);
        component
    }

    fn refused(component: &[u8]) -> String {
        Fixtures::extract(component).unwrap_err().to_string()
    }

    #[test]
    fn what_was_embedded_is_extracted_with_its_numbers_as_they_were() {
        let own = fixtures(&[("b.json", "{ \"a\": 1.0,\n \"z\": 1 }"), ("ä \"x\".json", "{}")]).unwrap();
        let component = own.embed(&embed::embed(&Component::new().finish(), "name"));
        let read = Fixtures::extract(&component).unwrap();
        assert_eq!(read, own);
        assert_eq!(read.files().next(), Some(("b.json", "{\"a\":1.0,\"z\":1}")));
        assert_eq!(embed::extract(&component), Ok("name"), "the manifest is as it was");
    }

    #[test]
    fn what_is_embedded_takes_the_place_of_what_was() {
        let bare = embed::embed(&Component::new().finish(), "name");
        let old = fixtures(&[("a.json", "{}"), ("b.json", "[1]")]).unwrap().embed(&bare);
        let new = fixtures(&[("a.json", "[2]")]).unwrap();
        assert_eq!(new.embed(&old), new.embed(&bare));
        assert_eq!(Fixtures::default().embed(&old), bare);
    }

    #[test]
    fn a_component_without_the_section_has_none() {
        let component = Component::new().finish();
        assert!(Fixtures::extract(&component).unwrap().is_empty());
        assert_eq!(Fixtures::default().embed(&component), component);
    }

    #[test]
    fn what_version_1_wrote_is_read() {
        let text = br#"{"v":1,"files":{"a.json":{"about":"a"}}}"#;
        let read = Fixtures::extract(&with_section(&compress_to_vec(text, 1))).unwrap();
        assert_eq!(read.files().collect::<Vec<_>>(), [("a.json", r#"{"about":"a"}"#)]);
    }

    #[test]
    fn a_section_that_is_not_ours_is_refused_with_the_reason() {
        let section = |text: &str| refused(&with_section(&compress_to_vec(text.as_bytes(), 1)));
        assert!(section(r#"{"v":2,"files":{}}"#).ends_with("is of version 2; this version reads 1"));
        assert!(section(r#"{"files":{}}"#).contains("is no JSON of ours: missing field `v`"));
        assert!(section(r#"{"v":1,"files":{"../../etc/x.json":{}}}"#).contains("names a file"));
        assert!(section("[").contains("is no JSON of ours"));
        assert!(refused(&with_section(b"\xff\xff\xff")).ends_with("cannot be inflated"));
        let data = compress_to_vec(b"{\"v\":1,\"files\":{}}", 1);
        let mut twice = with_section(&data);
        CustomSection { name: FIXTURES_SECTION.into(), data: Cow::Owned(data) }.append_to_component(&mut twice);
        assert!(refused(&twice).ends_with("it has more than once"));
    }

    #[test]
    fn a_small_section_that_inflates_without_end_is_refused() {
        let bomb = compress_to_vec(&vec![b' '; 64 << 20], 9);
        assert!(bomb.len() < 100_000);
        assert_eq!(
            refused(&with_section(&bomb)),
            "has a `tidegate:fixtures` section that inflates to more than 4194304 bytes"
        );
    }

    #[test]
    fn cut_bytes_are_refused_without_a_panic() {
        let component = fixtures(&[("a.json", r#"{"about":"a"}"#)]).unwrap().embed(&Component::new().finish());
        for end in 9..component.len() {
            assert!(Fixtures::extract(&component[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn too_many_or_too_large_fixtures_are_not_embedded() {
        let many = (0..=FIXTURES_MAX).map(|n| (format!("{n}.json"), "{}".to_owned()));
        assert!(matches!(Fixtures::new(many), Err(FixturesError::TooLarge { count: 1_001, .. })));
        let large = format!("\"{}\"", "x".repeat(FIXTURES_BYTES_MAX));
        assert!(matches!(fixtures(&[("a.json", &large)]), Err(FixturesError::TooLarge { count: 1, .. })));
        assert!(matches!(fixtures(&[("a.txt", "{}")]), Err(FixturesError::Name(_))));
        assert!(matches!(fixtures(&[("a.json", "{")]), Err(FixturesError::Json { .. })));
    }
}
