//! `tidegate snippet`: the lines that a site's pages need.

use clap::Args;
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::{ConfigFile, Variables};
use crate::config::Site;
use crate::http::snippet;

/// What queues calls until the script is there.
const STUB: &str =
    r#"<script>!function(w,n){w[n]=w[n]||function(){(w[n].q=w[n].q||[]).push(arguments)}}(window,"tidegate")</script>"#;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The site's name; not needed where there is one
    site: Option<String>,
    /// A tag that takes this very script and no other: it has to be changed with each version of the gateway
    #[arg(long)]
    integrity: bool,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Serialize)]
struct Snippet {
    site: String,
    src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity: Option<&'static str>,
    html: String,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let site = super::site(&config, arguments.site.as_deref())?;
    let snippet = of(site, arguments.integrity)?;
    out.data(&snippet, |snippet, _| snippet.html.clone());
    Ok(())
}

fn of(site: &Site, with_integrity: bool) -> Result<Snippet, Failure> {
    let Some(key) = site.write_keys.first() else {
        let failure = Failure::new(Exit::Usage, format!("site `{}` has no `write_keys`", site.name));
        return Err(failure.hint("pages send with a write key, which is public: add one"));
    };
    let Some(host) = site.hosts.first() else {
        return Err(Failure::new(Exit::Usage, format!("site `{}` has no `hosts`", site.name)));
    };
    let path = if with_integrity { snippet::versioned(&site.snippet) } else { site.snippet.clone() };
    let src = format!("https://{host}{path}");
    let integrity = with_integrity.then(snippet::integrity);
    let more = integrity.map(|digest| format!(" integrity=\"{digest}\" crossorigin=\"anonymous\"")).unwrap_or_default();
    let key = key.replace('&', "&amp;").replace('"', "&quot;");
    let html = format!("{STUB}\n<script async src=\"{src}\" data-key=\"{key}\"{more}></script>");
    Ok(Snippet { site: site.name.clone(), src, integrity, html })
}
