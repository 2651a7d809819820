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
    // Its first line names the interpreter by where the environment was made, and a project may be moved.
    let mut tool = Command::new(venv.join("bin").join("python3"));
    tool.arg(venv.join("bin").join("componentize-py"));
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
    #[cfg(unix)]
    use std::path::Path;

    use super::*;
    use crate::build::Surface;

    /// In the place of componentize-py: a component with the contract's interface alone, and somebody saves the plugin
    /// while it is made. Its first line is what is left of where the environment was.
    const BUILDER: &str = r#"#!/moved/away/python3
echo '# new' >> src/plugin.py
sleep 0.02
for output; do :; done
cp component "$output"
"#;

    /// A project with that builder, and with a shell for an interpreter.
    #[cfg(unix)]
    fn project(folder: &Path) -> Project {
        let world = crate::manifest::WORLD;
        let manifest = format!(
            "name = \"acme\"\nversion = \"0.1.0\"\nworld = \"{world}\"\nsummary = \"Acme\"\n\
             purposes = [\"analytics\"]\nendpoints.events.url = \"https://acme.example/events\"\n"
        );
        let component = format!(r#"(component (instance $a) (export "{}" (instance $a)))"#, interface(world));
        let files: [(&str, &[u8]); 6] = [
            ("plugin.toml", manifest.as_bytes()),
            ("requirements.txt", b"componentize-py\n"),
            ("src/plugin.py", b"# old\n"),
            ("component", &wat::parse_str(component).unwrap()),
            ("target/plugin/requirements.txt.installed", b"componentize-py\n"),
            ("target/plugin/venv/bin/componentize-py", BUILDER.as_bytes()),
        ];
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
        }
        std::os::unix::fs::symlink("/bin/sh", folder.join("target/plugin/venv/bin/python3")).unwrap();
        Project::open(folder).unwrap()
    }

    #[test]
    #[cfg(unix)]
    fn a_project_that_was_moved_is_built_and_what_is_saved_meanwhile_is_newer() {
        let folder = std::env::temp_dir().join(format!("tidegate-python-{}", std::process::id()));
        let project = project(&folder);
        project.write(&mut |_| {}).unwrap();
        let changed = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        let (built, saved) = (changed(project.output()), changed(project.folder.join("src/plugin.py")));
        assert!(built <= saved, "{built:?} {saved:?}");
        fs::remove_dir_all(folder).unwrap();
    }

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
