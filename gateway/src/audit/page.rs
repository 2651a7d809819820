//! The report as one HTML page: nothing is loaded from anywhere, nothing runs in it, and each plugin prints on a page of
//! its own. Everything that a plugin says of itself is escaped.

use std::fmt::{Display, Write as _};

use tidegate_sandbox::Inspection;

use super::rules::Level;
use super::{Audit, Report, Since};
use crate::permissions::signature::Signed;
use crate::permissions::words;

const STYLE: &str = include_str!("page.css");

/// The page. `made` is when, for people.
pub fn page(report: &Report, made: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Plugin audit</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Plugin audit</h1>\n"
    );
    let Report { gateway, errors, warnings, notes, plugins, .. } = report;
    let how = match plugins.iter().all(|audit| audit.ran.is_empty()) {
        true => "Nothing was executed: all of this is read from the components.",
        false => "Read from the components; what is said of fixtures and of the canary was found by running them.",
    };
    let _ = writeln!(
        html,
        "<p class=\"dim\">Tidegate {gateway}, {}. {how}</p>\n\
         <p>{} plugins: <b>{errors}</b> errors, <b>{warnings}</b> warnings, <b>{notes}</b> notes.</p>",
        text(made),
        plugins.len()
    );
    contents(&mut html, plugins);
    for (index, audit) in plugins.iter().enumerate() {
        one(&mut html, index, audit);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn contents(html: &mut String, plugins: &[Audit]) {
    html.push_str(
        "<table><thead><tr><th>Plugin</th><th>Version</th><th>Digest</th><th class=\"number\">Errors</th>\
         <th class=\"number\">Warnings</th><th class=\"number\">Notes</th></tr></thead><tbody>\n",
    );
    for (index, audit) in plugins.iter().enumerate() {
        let version = audit.inspection.as_ref().map(|it| it.manifest.version.to_string()).unwrap_or_default();
        let digest: String = audit.digest.as_str().chars().take(12).collect();
        let _ = writeln!(
            html,
            "<tr><td><a href=\"#plugin-{index}\">{}</a></td><td>{}</td><td><code>{digest}…</code></td>{}</tr>",
            text(&audit.source),
            text(version),
            [Level::Error, Level::Warning, Level::Note]
                .map(|level| match audit.count(level) {
                    0 => "<td class=\"number dim\">0</td>".to_owned(),
                    count => format!("<td class=\"number {}\">{count}</td>", level.name()),
                })
                .concat()
        );
    }
    html.push_str("</tbody></table>\n");
}

fn one(html: &mut String, index: usize, audit: &Audit) {
    let _ = writeln!(html, "<section id=\"plugin-{index}\">");
    let title = match &audit.inspection {
        Some(inspection) => format!(
            "{} {} <span class=\"dim\">{}</span>",
            text(&inspection.manifest.name),
            text(&inspection.manifest.version),
            text(&inspection.manifest.summary)
        ),
        None => text(&audit.source),
    };
    let _ = writeln!(html, "<h2>{title}</h2>");
    if let Some(Signed { signer, comment, .. }) = &audit.signed {
        let by = format!("{} (key {})", text(&signer.publisher), code(&signer.key));
        list(html, "Signature", &[("Signed by", by), ("Comment", text(comment))]);
    }
    findings(html, audit);
    approvals(html, audit);
    match &audit.inspection {
        Some(inspection) => facts(html, inspection),
        None => list(
            html,
            "What it is",
            &[("Digest", code(&audit.digest)), ("Size", text(format!("{} bytes", audit.size)))],
        ),
    }
    html.push_str("</section>\n");
}

fn findings(html: &mut String, audit: &Audit) {
    if audit.findings.is_empty() {
        html.push_str("<p>Nothing that somebody should look at.</p>\n");
        return ran(html, audit);
    }
    let rows = audit.findings.iter().map(|finding| {
        let hint = finding.hint.as_ref().map(|hint| format!("<br><span class=\"dim\">{}</span>", text(hint)));
        let level = finding.level.name();
        [
            format!("<span class=\"level {level}\">{level}</span>"),
            text(finding.rule),
            format!("{}{}", ticks(&finding.message), hint.unwrap_or_default()),
        ]
    });
    table(html, "Findings", ["Level", "Rule", "What"], rows);
    ran(html, audit);
}

/// What was run to find them.
fn ran(html: &mut String, audit: &Audit) {
    if !audit.ran.is_empty() {
        let _ = writeln!(html, "<p class=\"dim\">Run in the sandbox: {}.</p>", audit.ran.join(", "));
    }
}

/// What is different since it was approved, where a lock was asked.
fn approvals(html: &mut String, audit: &Audit) {
    for since in audit.approvals.iter().flatten() {
        let Since { destination, approved_by, approved_at, .. } = since;
        let title =
            format!("Since {} approved it for {} at {}", text(approved_by), text(destination), text(approved_at));
        let rows = since.changes.iter().map(|change| {
            let value = |value: &Option<String>| value.as_deref().map(code).unwrap_or_default();
            let what = format!("{} {}", change.part, change.subject);
            [
                change.effect.name().to_owned(),
                code(what.trim_end()),
                value(&change.old),
                value(&change.new),
                text(&change.says),
            ]
        });
        table(html, &title, ["", "What", "Before", "After", ""], rows);
    }
}

fn facts(html: &mut String, inspection: &Inspection) {
    let manifest = &inspection.manifest;
    let imports: Vec<String> = inspection.imports.iter().map(|import| code(&import.name)).collect();
    let imports = if imports.is_empty() { "none".to_owned() } else { imports.join(", ") };
    let exports: Vec<String> = inspection.exports.iter().map(code).collect();
    let bound = |most: Option<u64>| most.map_or("no bound of its own".to_owned(), |most| format!("at most {most}"));
    let memories = inspection.memories.iter().map(|it| format!("{} bytes, {}", it.initial, bound(it.maximum)));
    let tables = inspection.tables.iter().map(|it| format!("{} elements, {}", it.initial, bound(it.maximum)));
    let purposes: Vec<String> = manifest.purposes.iter().map(words::name_of).collect();
    let auth = manifest.auth.as_ref().map_or("none".to_owned(), |auth| ticks(&words::credentials(auth)));
    let limits = &manifest.limits;
    list(
        html,
        "What it is",
        &[
            ("Digest", code(&inspection.digest)),
            ("Size", text(format!("{} bytes", inspection.size))),
            ("World", code(&manifest.world)),
            ("Imports", imports),
            ("Exports", exports.join(", ")),
            ("Core modules", text(inspection.modules)),
            ("Memories", text(memories.collect::<Vec<_>>().join("; "))),
            ("Tables", text(tables.collect::<Vec<_>>().join("; "))),
            ("Fixtures", text(inspection.fixtures.len())),
        ],
    );
    let reads = manifest.reads.iter().map(|(field, read)| [code(field), text(words::form(read)), text(&read.why)]);
    table(html, "What it sees of an event, beside its name, time and id", ["Field", "As", "Why"], reads);
    let endpoints =
        manifest.endpoints.iter().map(|(name, it)| [code(name), text(words::name_of(&it.method)), code(&it.url)]);
    table(html, "Where its requests go", ["Endpoint", "Method", "URL"], endpoints);
    list(
        html,
        "On what terms",
        &[
            ("Consent to", text(purposes.join(", "))),
            ("Path", words::chosen(manifest).map_or("fixed".to_owned(), |chosen| ticks(&chosen))),
            ("Credentials", auth),
            ("Batching", ticks(&words::batching(&manifest.batch))),
            ("Memory", text(limits.memory_max)),
            ("Time", text(format!("{} ms a call", limits.time_max_ms))),
            ("Output", text(format!("{} a call", limits.output_max))),
            ("Event age", text(format!("at most {}", limits.age_max))),
            ("An instance", text(words::instance(limits.instance))),
        ],
    );
    let properties = words::configuration(manifest).into_iter().map(|it| {
        let about = [it.choice, it.about].into_iter().flatten().collect::<Vec<_>>().join("; ");
        [code(it.name), text(it.kind), text(about)]
    });
    table(html, "Its own configuration", ["Key", "Type", "What"], properties);
}

fn list(html: &mut String, title: &str, facts: &[(&str, String)]) {
    let _ = writeln!(html, "<h3>{title}</h3>\n<dl>");
    for (name, value) in facts {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{value}</dd>");
    }
    html.push_str("</dl>\n");
}

/// A table of cells that are HTML already.
fn table<const N: usize>(html: &mut String, title: &str, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<String> =
        rows.map(|row| format!("<tr>{}</tr>", row.map(|cell| format!("<td>{cell}</td>")).concat())).collect();
    let _ = writeln!(html, "<h3>{title}</h3>");
    if rows.is_empty() {
        html.push_str("<p class=\"dim\">Nothing.</p>\n");
        return;
    }
    let head = head.map(|name| format!("<th>{name}</th>")).concat();
    let _ = writeln!(html, "<table><thead><tr>{head}</tr></thead><tbody>\n{}\n</tbody></table>", rows.join("\n"));
}

fn code(value: impl Display) -> String {
    format!("<code>{}</code>", text(value))
}

/// Text whose words in back-ticks are code.
fn ticks(value: &str) -> String {
    let parts = value.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { code(part) } else { text(part) }).collect()
}

/// Escaped, and without what turns the direction of writing around.
fn text(value: impl Display) -> String {
    let mut escaped = String::new();
    for c in value.to_string().chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(escaped, "{}", c.escape_unicode());
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_says_of_itself_cannot_leave_its_cell() {
        assert_eq!(text("<script>\"x\"&'\u{202e}"), "&lt;script&gt;&quot;x&quot;&amp;&#39;\\u{202e}");
        assert_eq!(ticks("in `a<b` and <c>"), "in <code>a&lt;b</code> and &lt;c&gt;");
    }

    #[test]
    fn the_page_of_nothing_is_whole_and_loads_nothing() {
        let html = page(&Report::new(Vec::new()), "2026-11-20");
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
        for outside in ["http://", "https://", "<script", "<link", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
