//! JavaScript: componentize-js puts the module and SpiderMonkey into one component, started and then frozen, with every
//! feature off that would import something.

use std::fs;
use std::process::Command;

use super::error::io;
use super::{BuildError, Project, tool};

/// What node is told to do; the arguments are the entry module, the contract and where the component goes.
const SCRIPT: &str = include_str!("javascript.mjs");
const ENTRY: &str = "src/plugin.js";
const CONTRACT: &str = "wit/destination.wit";
const NODE_IS_AT: &str = "install Node.js 20 or newer, with npm: https://nodejs.org, or `apt-get install nodejs npm`";

/// Builds the project's module to a component that has no manifest yet.
pub(super) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    say("componentize-js builds the component");
    let output = project.work().join("javascript.wasm");
    let mut node = Command::new("node");
    node.current_dir(&project.folder).args(["--input-type=module", "--eval", SCRIPT, "--", ENTRY, CONTRACT]);
    tool::run(node.arg(&output), "componentize-js could not build the plugin", NODE_IS_AT)?;
    fs::read(&output).map_err(io("read", &output))
}

/// Installs what `package.json` asks for, in the versions that `package-lock.json` pins.
pub(super) fn install(project: &Project, say: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
    let lock = "package-lock.json";
    let is_locked = project.folder.join(lock).is_file();
    let told_by = if is_locked { lock } else { "package.json" };
    if project.folder.join("node_modules").is_dir() && project.is_installed(told_by) {
        return Ok(());
    }
    say("npm installs what package.json asks for, once");
    let mut npm = Command::new("npm");
    npm.current_dir(&project.folder).arg(if is_locked { "ci" } else { "install" });
    // No package of the tool's needs a script to be installed, and a script could do anything.
    npm.args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    tool::run(&mut npm, "npm could not install what package.json asks for", NODE_IS_AT)?;
    project.installed(told_by)
}
