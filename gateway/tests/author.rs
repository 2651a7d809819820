//! `tidegate plugin new` and `plugin build` as somebody meets them who writes a first plugin.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;
const UNAVAILABLE: i32 = 69;

/// Runs the program where no other program is found.
fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).current_dir(directory).env_clear().env("PATH", "/nowhere").stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_project_of_each_language_is_made_with_what_to_do_next() {
    let directory = TempDir::new().unwrap();
    for (language, source, test) in [
        ("rust", "src/lib.rs", "cargo test"),
        ("js", "src/plugin.js", "npm test"),
        ("python", "src/plugin.py", "python3"),
    ] {
        let name = format!("acme-{language}");
        let (code, stdout, stderr) = run(directory.path(), &["plugin", "new", &name, "--lang", language]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        for said in [&name, source, test, "tidegate plugin build"] {
            assert!(stdout.contains(said), "{said}: {stdout}");
        }
        let manifest = std::fs::read_to_string(directory.path().join(&name).join("plugin.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{manifest}");
        assert!(directory.path().join(&name).join(source).is_file());
    }
}

#[test]
fn a_folder_that_is_taken_and_a_name_that_is_none_are_refused_with_a_hint() {
    let directory = TempDir::new().unwrap();
    let new = |name: &str| run(directory.path(), &["plugin", "new", name, "--lang", "python"]);
    let (code, _, stderr) = new("Acme Ads");
    assert_eq!(code, Some(USAGE));
    assert!(stderr.contains("error: `Acme Ads` is no name for a plugin\nhint: "), "{stderr}");
    assert!(stderr.contains("`acme-ads` would do"), "{stderr}");
    assert_eq!(new("acme").0, Some(0));
    let (code, _, stderr) = new("acme");
    assert_eq!(code, Some(USAGE));
    let said = "error: `acme` is there already, and it is not empty\nhint: choose another name, or empty it\n";
    assert_eq!(stderr, said);
    let (code, _, stderr) = run(directory.path(), &["plugin", "new", "other", "--lang", "cobol"]);
    assert_eq!(code, Some(USAGE));
    assert!(stderr.contains("rust, js, python"), "{stderr}");
}

#[test]
fn a_build_says_which_tool_is_missing_and_where_it_comes_from() {
    let directory = TempDir::new().unwrap();
    for (language, missing, hint) in [
        ("rust", "error: `rustc` is missing", "hint: install Rust from https://rustup.rs"),
        ("js", "error: `npm` is missing", "hint: install Node.js 20 or newer, with npm"),
        ("python", "error: `python3` is missing", "hint: install Python 3.10 or newer, with venv"),
    ] {
        assert_eq!(run(directory.path(), &["plugin", "new", language, "--lang", language]).0, Some(0));
        let (code, stdout, stderr) = run(directory.path(), &["plugin", "build", language]);
        assert_eq!((code, stdout.as_str()), (Some(UNAVAILABLE), ""), "{stderr}");
        assert!(stderr.contains(missing) && stderr.contains(hint), "{stderr}");
    }
}

#[test]
fn a_build_needs_a_plugins_folder_and_a_manifest_without_mistakes() {
    let directory = TempDir::new().unwrap();
    let (code, _, stderr) = run(directory.path(), &["plugin", "build"]);
    assert_eq!(code, Some(NOT_FOUND));
    let hint = "hint: `tidegate plugin new NAME --lang rust|js|python` makes a plugin's folder";
    assert!(stderr.contains("error: `.` has no plugin.toml\n") && stderr.contains(hint), "{stderr}");

    run(directory.path(), &["plugin", "new", "acme", "--lang", "js"]);
    let manifest = directory.path().join("acme/plugin.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("purposes = [\"ad-user-data\"]", "purposes = []")).unwrap();
    let (code, _, stderr) = run(directory.path(), &["plugin", "build", "acme"]);
    assert_eq!(code, Some(DATA));
    assert!(stderr.contains("`purposes` is empty, line 10"), "{stderr}");

    std::fs::write(&manifest, text).unwrap();
    std::fs::write(directory.path().join("acme/Cargo.toml"), "").unwrap();
    let (code, _, stderr) = run(directory.path(), &["plugin", "build", "acme"]);
    assert_eq!(code, Some(DATA));
    assert!(stderr.contains("acme` has Cargo.toml and package.json: one of"), "{stderr}");
}
