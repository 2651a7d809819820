//! A plugin as text, in the order in which somebody who has to approve it asks.

use tidegate_plugin_sdk::manifest::{Manifest, WORLDS};
use tidegate_sandbox::Inspection;

use super::super::output::{Paint, bytes, line, table};
use crate::permissions::words;

/// All that is known of a plugin without running it.
pub(super) fn plugin(inspection: &Inspection, paint: Paint) -> String {
    let Inspection { digest, size, manifest, exports, imports, fixtures, .. } = inspection;
    let mut lines = vec![
        format!("{} {}  {}", paint.bold(&manifest.name), line(&manifest.version.to_string()), line(&manifest.summary)),
        fact("digest", digest),
        fact("size", bytes(*size as u64)),
    ];
    let fits = match WORLDS.contains(&manifest.world.as_str()) {
        true => String::new(),
        false => paint.red(format!("  this gateway runs {}", WORLDS.join(" and "))),
    };
    lines.push(format!("{}{fits}", fact("built for", &manifest.world)));
    match imports.as_slice() {
        [] => lines.push(fact("imports", "none: it can reach nothing outside of itself")),
        imports => {
            lines.push(format!("  {:12}{}", "imports", paint.red("it would not be loaded")));
            for import in imports {
                lines.push(format!("    {}  {}", line(&import.name), import.allows));
            }
        }
    }
    lines.push(fact("exports", exports.join(", ")));
    lines.extend(room(inspection));
    lines.push(fact("fixtures", if fixtures.is_empty() { "none".to_owned() } else { fixtures.len().to_string() }));
    lines.extend(["".to_owned(), paint.bold("An event comes here only with consent to")]);
    lines.extend(manifest.purposes.iter().map(|purpose| format!("  {}", words::name_of(purpose))));
    lines.extend(["".to_owned(), paint.bold("It sees")]);
    lines.extend(reads(manifest, paint));
    lines.extend(["".to_owned(), paint.bold("Its requests go to")]);
    lines.extend(manifest.endpoints.iter().map(|(name, endpoint)| fact(name, words::endpoint(endpoint))));
    lines.extend(words::chosen(manifest).into_iter().map(|said| fact("", said)));
    let credentials = manifest.auth.as_ref().map_or("none".to_owned(), |auth| {
        format!("{}, added by the gateway: the plugin never has them", words::credentials(auth))
    });
    lines.push(fact("credentials", credentials));
    lines.push(fact("batching", words::batching(&manifest.batch)));
    lines.extend(manifest.test_view.as_ref().map(|view| fact("tests", format!("are shown in {view}"))));
    lines.extend(["".to_owned(), paint.bold("Its limits")]);
    let limits = &manifest.limits;
    lines.push(fact("memory", limits.memory_max));
    lines.push(fact("time", format!("{} ms a call", limits.time_max_ms)));
    lines.push(fact("output", format!("{} a call", limits.output_max)));
    lines.push(fact("event age", format!("at most {}", limits.age_max)));
    lines.push(fact("an instance", words::instance(limits.instance)));
    lines.extend(["".to_owned(), paint.bold("Its own configuration")]);
    lines.extend(configuration(manifest, paint));
    lines.join("\n")
}

fn fact(name: &str, value: impl std::fmt::Display) -> String {
    format!("  {name:12}{}", line(&value.to_string()))
}

/// The memories and tables that it declares.
fn room(inspection: &Inspection) -> Vec<String> {
    let memories = inspection.memories.iter().map(|memory| {
        let most = memory
            .maximum
            .map_or("no bound of its own: the manifest's holds".to_owned(), |most| format!("at most {}", bytes(most)));
        fact("memory", format!("{} from the start, {most}", bytes(memory.initial)))
    });
    let tables = inspection.tables.iter().map(|table| {
        let most = table.maximum.map_or("no bound of its own".to_owned(), |most| format!("at most {most}"));
        fact("table", format!("{} elements from the start, {most}", table.initial))
    });
    memories.chain(tables).collect()
}

fn reads(manifest: &Manifest, paint: Paint) -> Vec<String> {
    if manifest.reads.is_empty() {
        return vec!["  nothing but the event's name, time and id".to_owned()];
    }
    let rows = manifest.reads.iter().map(|(field, read)| [format!("  {field}"), words::form(read), read.why.clone()]);
    let rows: Vec<[String; 3]> = rows.collect();
    table(paint, ["  FIELD", "AS", "WHY"], &rows).lines().map(str::to_owned).collect()
}

fn configuration(manifest: &Manifest, paint: Paint) -> Vec<String> {
    let properties = words::configuration(manifest);
    if properties.is_empty() {
        return vec!["  none".to_owned()];
    }
    let lines = properties.into_iter().flat_map(|property| {
        let head = format!("  {}  {}", line(&property.name), paint.dim(line(&property.kind)));
        let more = [property.choice, property.about].into_iter().flatten();
        let more = more.map(|text| format!("      {}", line(&text)));
        std::iter::once(head).chain(more.collect::<Vec<_>>())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_says_of_its_configuration_begins_no_line() {
        let forged = "x\nFindings\n  none";
        let schema = serde_json::json!({ "properties": { forged: { "type": forged, "description": forged } } });
        let manifest = Manifest { config: schema, ..manifest() };
        let lines = configuration(&manifest, Paint::Plain).join("\n");
        assert_eq!(lines, "  x Findings   none  x Findings   none, optional\n      x Findings   none");
    }

    fn manifest() -> Manifest {
        let webhook = tidegate_plugins::find("webhook").unwrap();
        tidegate_sandbox::inspect(webhook.wasm).unwrap().manifest
    }
}
