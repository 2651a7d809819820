//! The report as SARIF 2.1.0 (OASIS), as code-scanning pages take it: a rule for each kind of finding, a result for each
//! finding. What is not wrong is not in it.

use serde_json::{Value, json};

use super::rules::{Level, RULES, Rule};
use super::{Audit, Finding, Report};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The report as a SARIF log with one run.
pub fn sarif(report: &Report) -> Value {
    let results = report.plugins.iter().flat_map(|audit| audit.findings.iter().map(move |one| result(audit, one)));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tidegate plugin audit",
                "version": report.gateway,
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "artifacts": report.plugins.iter().map(artifact).collect::<Vec<_>>(),
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(rule: &Rule) -> Value {
    // What GitHub sorts by: above 7.0 it is "high".
    let severity = match rule.level {
        Level::Error => "8.0",
        Level::Warning => "5.0",
        Level::Note => "2.0",
    };
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.help },
        "help": { "text": rule.help },
        "defaultConfiguration": { "level": rule.level.name() },
        "properties": { "tags": ["security", "plugin"], "security-severity": severity },
    })
}

fn artifact(audit: &Audit) -> Value {
    json!({
        "location": { "uri": audit.artifact },
        "length": audit.size,
        "hashes": { "sha-256": audit.digest },
    })
}

fn result(audit: &Audit, finding: &Finding) -> Value {
    let hint = finding.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let name = audit.inspection.as_ref().map_or(audit.source.as_str(), |inspection| &inspection.manifest.name);
    json!({
        "ruleId": finding.rule,
        "ruleIndex": RULES.iter().position(|rule| rule.id == finding.rule),
        "level": finding.level.name(),
        "message": { "text": literal(&format!("`{name}`: {}{hint}", finding.message)) },
        "locations": [{
            // A component has no lines; the pages want one all the same.
            "physicalLocation": { "artifactLocation": { "uri": audit.artifact }, "region": { "startLine": 1 } },
            "logicalLocations": [{ "fullyQualifiedName": format!("{name}/{}", finding.subject) }],
        }],
        // The same finding of the next version is the same alert: by plugin, rule and subject, not by digest.
        "partialFingerprints": { "finding/v1": format!("{name}/{}/{}", finding.rule, finding.subject) },
    })
}

/// Text in which nothing is a placeholder or a link (SARIF 2.1.0, 3.11.5 and 3.11.6): what a plugin says of itself may look
/// like either.
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '{' | '}' => escaped.extend([c, c]),
            '[' | ']' | '\\' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_says_is_no_link_and_no_placeholder() {
        assert_eq!(literal("[see](https://evil.example) {0}"), "\\[see\\](https://evil.example) {{0}}");
    }
}
