//! What nginx is told, so that it answers as the gateway does.

use std::fmt::Write as _;

use super::client::Answer;

/// The lines of a server that gives this answer to everything.
pub(super) fn server(answer: &Answer) -> anyhow::Result<String> {
    let code = answer.status.split(' ').next().unwrap_or_default();
    let (mut kind, mut headers) = (String::new(), String::new());
    for (name, value) in &answer.headers {
        match name.as_str() {
            // These it writes itself.
            "date" | "content-length" | "connection" => {}
            "content-type" => kind = quoted(value)?,
            _ => writeln!(headers, "        add_header {name} {} always;", quoted(value)?)?,
        }
    }
    let body = quoted(&answer.body)?;
    let limits = "        keepalive_requests 1000000;\n        ssl_protocols TLSv1.3;\n";
    Ok(format!("{limits}        default_type {kind};\n{headers}        location / {{ return {code} {body}; }}"))
}

fn quoted(text: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!text.contains(['\'', '\\', '$', '\n']), "`{text}` cannot be told to nginx");
    Ok(format!("'{text}'"))
}
