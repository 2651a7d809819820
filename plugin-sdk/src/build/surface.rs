//! What a component or module takes from outside and offers: read, not executed.

use wasmparser::{ComponentExternalKind, Parser, Payload};

use super::BuildError;

/// What a component takes from outside, and what it offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// The names of its imports. A plugin has none.
    pub imports: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
}

/// Reads a component's imports and exports without executing anything.
///
/// # Errors
/// When it is no valid WebAssembly.
pub fn surface(component: &[u8]) -> Result<Surface, BuildError> {
    let mut surface = Surface::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export?;
                    if export.kind != ComponentExternalKind::Type {
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

/// What a core module imports.
pub(super) fn module_imports(module: &[u8]) -> Result<Vec<String>, BuildError> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                imports.push(format!("{}::{}", import.module, import.name));
            }
        }
    }
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_components_surface_is_what_it_imports_and_exports() {
        let component =
            r#"(component (import "a:b/c" (func)) (component (import "inner" (func))) (export "d" (func 0)))"#;
        let surface = surface(&wat::parse_str(component).unwrap()).unwrap();
        assert_eq!(surface, Surface { imports: vec!["a:b/c".into()], exports: vec!["d".into()] });
    }
}
