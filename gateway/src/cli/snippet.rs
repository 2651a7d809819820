//! `tidegate snippet`: the lines that a site's pages need.

use std::net::IpAddr;

use clap::Args;
use serde::Serialize;
use url::Url;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::{ConfigFile, Variables};
use crate::config::{Config, Site};
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
    /// Where browsers reach the gateway, if not at the first of the site's `hosts`: a host, or an address with a path
    #[arg(long, value_name = "HOST")]
    tracking: Option<String>,
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
    let place = match &arguments.tracking {
        Some(tracking) => tracking.clone(),
        None => place(&config, site)?,
    };
    let place = tidegate_doctor::place(&place).map_err(|error| Failure::of(Exit::Usage, "write the tag", &error))?;
    let snippet = of(site, &place, arguments.integrity)?;
    out.data(&snippet, |snippet, _| snippet.html.clone());
    Ok(())
}

/// The site's own host. Over TLS but on this machine alone, where the listener may have none and a port of its own.
pub(super) fn place(config: &Config, site: &Site) -> Result<String, Failure> {
    let Some(host) = site.hosts.first() else {
        let failure = Failure::new(Exit::Usage, format!("site `{}` has no `hosts`", site.name));
        return Err(failure
            .hint("add the host that browsers reach the gateway at, or name it: `--tracking track.shop.example`"));
    };
    let is_local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match is_local && config.listen.https.is_none() {
        true => Ok(format!("http://{host}:{}", config.listen.http.port())),
        false => Ok(host.clone()),
    }
}

fn of(site: &Site, place: &Url, with_integrity: bool) -> Result<Snippet, Failure> {
    let Some(key) = super::write_key(site) else {
        let failure = Failure::new(Exit::Usage, format!("no write key of site `{}` is known here", site.name));
        let hint = "pages send with a write key, which is public: add one to `write_keys`, or set the variable it is taken from";
        return Err(failure.hint(hint));
    };
    let path = if with_integrity { snippet::versioned(&site.snippet) } else { site.snippet.clone() };
    let src = format!("{place}{}", path.trim_start_matches('/'));
    let integrity = with_integrity.then(snippet::integrity);
    let more = integrity.map(|digest| format!(" integrity=\"{digest}\" crossorigin=\"anonymous\"")).unwrap_or_default();
    let attribute = |value: &str| value.replace('&', "&amp;").replace('"', "&quot;");
    let (address, key) = (attribute(&src), attribute(key));
    let html = format!("{STUB}\n<script async src=\"{address}\" data-key=\"{key}\"{more}></script>");
    Ok(Snippet { site: site.name.clone(), src, integrity, html })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::UNSET;

    /// The tag's line for a host, a list of write keys and what else the listener has.
    fn line(host: &str, keys: &str, listen: &str) -> Result<String, Failure> {
        let text = format!(
            "[listen]\nhttp = \"127.0.0.1:8080\"\n{listen}\n[admin]\ntoken = \"a token of the tests\"\n[store]\nurl = \"sqlite:t.db\"\n\
             [visitor]\nkeys = [\"k1:a visitor key of the tests\"]\n\
             [[site]]\nname = \"shop\"\nhosts = [\"{host}\"]\nwrite_keys = [{keys}]\n"
        );
        let unset = |name: &str| Some(format!("{UNSET}{name}"));
        let config = Config::parse(&text, Path::new(""), &unset).unwrap();
        let site = &config.sites[0];
        let place = tidegate_doctor::place(&place(&config, site)?).unwrap();
        Ok(of(site, &place, false)?.html.lines().last().unwrap().to_owned())
    }

    #[test]
    fn a_tag_is_over_tls_but_for_a_gateway_on_this_machine_that_has_none() {
        let tag = |src: &str| format!("<script async src=\"{src}\" data-key=\"k\"></script>");
        for (host, expected) in [
            ("track.shop.example", "https://track.shop.example/t.js"),
            ("localhost", "http://localhost:8080/t.js"),
            ("127.0.0.1", "http://127.0.0.1:8080/t.js"),
        ] {
            assert_eq!(line(host, "\"k\"", "").unwrap(), tag(expected));
        }
    }

    #[test]
    fn a_key_that_is_not_known_here_is_in_no_tag() {
        let given = line("track.shop.example", "\"env:A\", \"k2\"", "").unwrap();
        assert!(given.contains("data-key=\"k2\""), "{given}");
        assert!(line("track.shop.example", "\"env:A\"", "").is_err());
    }
}
