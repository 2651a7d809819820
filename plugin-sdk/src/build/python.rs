//! Python: componentize-py puts the modules and CPython into one component, started and then frozen, with every import of
//! WASI replaced by a trap.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use wasm_encoder::{ComponentBuilder, ComponentExportKind};

use super::error::io;
use super::{BuildError, Project, interface, surface, tool};

const MODULE: &str = "plugin";
const PYTHON_IS_AT: &str = "install Python 3.10 or newer, with venv: `apt-get install python3 python3-venv`";

/// Builds the project's module to a component that has no manifest yet.
pub(super) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let venv = venv(project);
    say("componentize-py builds the component");
    let output = project.work().join("python.wasm");
    let mut tool = Command::new(venv.join("bin").join("componentize-py"));
    tool.current_dir(&project.folder).args(["--wit-path", "wit", "--world", "destination", "--quiet"]);
    tool.args(["componentize", MODULE, "--stub-wasi", "--python-path", "src", "--output"]).arg(&output);
    // The packages of requirements.txt are found there, and none of another environment.
    tool.env("VIRTUAL_ENV", &venv);
    tool::run(&mut tool, "componentize-py could not build the plugin", PYTHON_IS_AT)?;
    let component = fs::read(&output).map_err(io("read", &output))?;
    Ok(alone(&component, &interface(&project.manifest().world)))
}

/// A component around this one that exports the contract's interface alone: componentize-py leaves there, under the name
/// `exports`, what has started the interpreter already.
fn alone(component: &[u8], interface: &str) -> Vec<u8> {
    let is_there = surface(component).is_ok_and(|surface| surface.exports.iter().any(|name| name == interface));
    if !is_there {
        // What is wrong with it is said by who checks it.
        return component.to_vec();
    }
    let mut outer = ComponentBuilder::default();
    let inner = outer.component_raw(None, component);
    let nothing: [(&str, ComponentExportKind, u32); 0] = [];
    let instance = outer.instantiate(None, inner, nothing);
    let plugin = outer.alias_export(instance, interface, ComponentExportKind::Instance);
    outer.export(interface, ComponentExportKind::Instance, plugin, None);
    outer.finish()
}

fn venv(project: &Project) -> PathBuf {
    project.work().join("venv")
}

/// Installs what `requirements.txt` asks for into an environment of the project's own.
pub(super) fn install(project: &Project, say: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
    let (venv, requirements) = (venv(project), "requirements.txt");
    if venv.is_dir() && project.is_installed(requirements) {
        return Ok(());
    }
    say("pip installs what requirements.txt asks for, once");
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear"]).arg(&venv);
    let made = tool::output(&mut python, PYTHON_IS_AT)?;
    if !made.status.success() {
        let what = "python3 could not make an environment".to_owned();
        return Err(BuildError::Tool { what, output: tool::said(&made), hint: Some(PYTHON_IS_AT) });
    }
    let mut pip = Command::new(venv.join("bin").join("pip"));
    pip.current_dir(&project.folder).args(["install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
    pip.args(["--requirement", requirements]);
    tool::run(&mut pip, "pip could not install what requirements.txt asks for", PYTHON_IS_AT)?;
    project.installed(requirements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Surface;

    #[test]
    fn only_the_contracts_interface_is_left() {
        let component =
            r#"(component (instance $a) (export "exports" (instance $a)) (export "a:b/plugin@1.0.0" (instance $a)))"#;
        let component = wat::parse_str(component).unwrap();
        let left = alone(&component, "a:b/plugin@1.0.0");
        wasmparser::Validator::new().validate_all(&left).unwrap();
        let expected = Surface { imports: Vec::new(), exports: vec!["a:b/plugin@1.0.0".into()] };
        assert_eq!(surface(&left).unwrap(), expected);
        assert_eq!(alone(&component, "a:b/other@1.0.0"), component, "what lacks it stays as it is");
    }
}
