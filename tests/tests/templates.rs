//! What `tidegate plugin new` makes is a plugin that builds, and holds its own fixtures, in each language.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_plugin_sdk::build::Project;
use tidegate_sandbox::{Options, Sandbox, fixtures};
use tidegate_tests::{binary, passes_natively, plugin_cache};

fn made(directory: &Path, language: &str) -> PathBuf {
    succeeds(Command::new(binary()).args(["plugin", "new", "acme-ads", "--lang", language]).current_dir(directory));
    directory.join("acme-ads")
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}{stderr}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// A command as a stranger's shell would run it: cargo tells the programs that it runs about this workspace.
fn elsewhere(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO") && name != "CARGO_HOME") {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_rust_project_builds_with_the_sdk_that_came_along() {
    let directory = tempfile::tempdir().unwrap();
    let project = made(directory.path(), "rust");
    // What it depends on is compiled once for all runs of this test.
    let compiled = binary().parent().unwrap().with_file_name("test-templates");
    for folder in [compiled.join("plugin"), project.join("target/plugin")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    symlink(compiled.join("plugin"), project.join("target/plugin/cargo")).unwrap();
    let said = succeeds(elsewhere(binary()).args(["plugin", "build"]).current_dir(&project));
    assert!(said.starts_with("target/plugin/acme-ads.wasm, "), "{said}");
    for part in
        ["imports     none", "user.email (SHA-256 of trim, lowercase)", "POST https://api.example.com/v1/accounts/"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The Cargo.lock that this build made is no change of a source: what was built is what is tested, and approved.
    let output = elsewhere(binary()).args(["plugin", "test"]).current_dir(&project).output().unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && project.join("Cargo.lock").exists() && !notes.contains("cargo"), "{notes}");
    let native = compiled.join("native");
    let tested = succeeds(elsewhere("cargo").arg("test").env("CARGO_TARGET_DIR", native).current_dir(&project));
    assert!(tested.contains("fixtures_hold ... ok") && tested.contains("a_page_view_is_skipped ... ok"), "{tested}");
    holds_its_fixtures(&project);
}

/// Builds a project with the tools that the example of its language has installed, so that they are not fetched again.
fn builds_with_the_examples_tools(language: &str, example: &str, (tools, lock): (&str, &str), native: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let project = made(directory.path(), language);
    passes_natively(&project, native);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example).canonicalize().unwrap();
    Project::open(&example).unwrap().install(&mut |_| {}).unwrap();
    std::fs::create_dir_all(project.join("target/plugin")).unwrap();
    symlink(example.join(tools), project.join(tools)).unwrap();
    std::fs::copy(project.join(lock), project.join(format!("target/plugin/{lock}.installed"))).unwrap();
    Project::open(&project).unwrap().write(&mut |_| {}).unwrap();
    holds_its_fixtures(&project);
}

fn holds_its_fixtures(project: &Path) {
    let sandbox = Sandbox::new(Options { cache_dir: Some(plugin_cache()), ..Options::default() }).unwrap();
    let plugin = sandbox.load(&std::fs::read(project.join("target/plugin/acme-ads.wasm")).unwrap()).unwrap();
    let failed: Vec<String> = fixtures::embedded_failures(&plugin).iter().map(ToString::to_string).collect();
    assert_eq!(failed, [""; 0]);
    assert!(plugin.inspection().fixtures.files().count() > 5);
}

#[test]
fn a_javascript_project_builds() {
    builds_with_the_examples_tools("js", "javascript", ("node_modules", "package-lock.json"), &["node", "--test"]);
}

#[test]
fn a_python_project_builds() {
    let (tools, native) = (("target/plugin/venv", "requirements.txt"), ["python3", "-m", "unittest"]);
    builds_with_the_examples_tools("python", "python", tools, &native);
}
