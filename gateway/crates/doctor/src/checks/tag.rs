//! Judges the page's tag: that it is there, loads the right snippet, has its key, and is blocked by nothing. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use url::Url;

use super::page::Found;
use crate::csp::{self, Wish};
use crate::fetch::Answer;
use crate::finding::{Code, Finding};
use crate::html::Script;
use crate::site::Site;

/// What there is to say of the page, given the snippet's own answer if there was one.
pub(crate) fn judge(site: &Site, page: &Found, snippet: Option<&Answer>) -> Vec<Finding> {
    let wanted = site.below(&site.snippet);
    let tags: Vec<&Script> = page.html.scripts.iter().filter(|script| is_tag(script, &wanted)).collect();
    let Some(tag) = tags.first() else {
        let mut found = vec![missing(site, page, &wanted)];
        found.extend(policies(site, page, None));
        return found;
    };
    let mut found = vec![Finding::new(Code::TagFound, page.url.clone(), format!("loads `{wanted}`"))];
    if tags.len() > 1 {
        found.push(Finding::new(Code::TagTwice, page.url.clone(), format!("has {} tags for `{wanted}`", tags.len())));
    }
    found.extend(insecure(tag, &page.url));
    found.extend(blocking(tag, &page.url));
    found.extend(key(site, tag, &page.url));
    found.extend(consent(tag, &page.url));
    found.extend(integrity(site, tag, snippet, page));
    found.extend(policies(site, page, Some(tag)));
    found
}

/// Whether a script is the snippet. The query may be anything: it only keeps caches apart.
fn is_tag(script: &Script, wanted: &Url) -> bool {
    script.src.as_ref().is_some_and(|src| {
        src.host_str() == wanted.host_str()
            && src.path() == wanted.path()
            && matches!(src.scheme(), "http" | "https")
            && (src.port_or_known_default() == wanted.port_or_known_default() || src.scheme() != wanted.scheme())
    })
}

fn missing(site: &Site, page: &Found, wanted: &Url) -> Finding {
    let file = wanted.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    let scripts = || page.html.scripts.iter().filter_map(|script| script.src.as_ref().map(|src| (script, src)));
    let is_ours = |script: &Script, src: &Url| {
        let of_gateway = src.host_str() == wanted.host_str() && src.path().starts_with(site.tracking.path());
        (script.attribute("data-key").is_some() && of_gateway)
            || (!file.is_empty() && src.path().ends_with(&format!("/{file}")))
    };
    if let Some((_, src)) = scripts().find(|(script, src)| is_ours(script, src)) {
        return Finding::new(Code::TagElsewhere, page.url.clone(), format!("loads `{src}`, not `{wanted}`"))
            .change(format!("Change the tag's `src` to `{wanted}`."));
    }
    let managers = |src: &Url| src.host_str().is_some_and(|host| TAG_MANAGERS.contains(&host));
    let code = if scripts().any(|(_, src)| managers(src)) { Code::TagManaged } else { Code::TagMissing };
    let key = site.key.as_deref().unwrap_or("<the site's write key>");
    Finding::new(code, page.url.clone(), format!("has no script with `src=\"{wanted}\"`"))
        .change(format!("Add to the page's head: `<script async src=\"{wanted}\" data-key=\"{key}\"></script>`"))
}

/// Hosts of tag managers (M), which may add the tag where the HTML does not show it.
const TAG_MANAGERS: &[&str] =
    &["www.googletagmanager.com", "assets.adobedtm.com", "tags.tiqcdn.com", "cdn.matomo.cloud", "ct.pinterest.com"];

fn insecure(tag: &Script, url: &Url) -> Option<Finding> {
    let src = tag.src.as_ref()?;
    (src.scheme() == "http" && url.scheme() == "https")
        .then(|| Finding::new(Code::TagInsecure, url.clone(), format!("loads `{src}`")))
}

fn blocking(tag: &Script, url: &Url) -> Option<Finding> {
    let is_module = tag.attribute("type").is_some_and(|kind| kind.eq_ignore_ascii_case("module"));
    let waits = tag.attribute("async").is_none() && tag.attribute("defer").is_none() && !is_module;
    waits.then(|| Finding::new(Code::TagBlocking, url.clone(), "the tag has neither `async` nor `defer`"))
}

fn key(site: &Site, tag: &Script, url: &Url) -> Option<Finding> {
    let given = tag.attribute("data-key").map(str::trim).filter(|key| !key.is_empty());
    match (given, site.key.as_deref()) {
        (None, key) => {
            let finding = Finding::new(Code::TagNoKey, url.clone(), "the tag has no `data-key`");
            Some(match key {
                Some(key) => finding.change(format!("Add `data-key=\"{key}\"` to the tag.")),
                None => finding,
            })
        }
        (Some(given), Some(key)) if given != key => Some(
            Finding::new(Code::TagWrongKey, url.clone(), format!("the tag has `data-key=\"{given}\"`"))
                .change(format!("Change it to `data-key=\"{key}\"`.")),
        ),
        (Some(_), _) => None,
    }
}

/// The script knows one word; whoever writes a level there believes that it counts.
fn consent(tag: &Script, url: &Url) -> Option<Finding> {
    let raw = tag.attribute("data-consent")?;
    (raw != "wait")
        .then(|| Finding::new(Code::ConsentUnknown, url.clone(), format!("the tag has `data-consent=\"{raw}\"`")))
}

fn integrity(site: &Site, tag: &Script, snippet: Option<&Answer>, page: &Found) -> Vec<Finding> {
    let Some(value) = tag.attribute("integrity").map(str::trim).filter(|value| !value.is_empty()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(answer) = snippet.filter(|answer| answer.status.is_success() && !answer.is_cut)
        && !has_hash(value, &answer.body)
    {
        let true_hash = format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(&answer.body)));
        found.push(
            Finding::new(Code::SnippetIntegrity, page.url.clone(), format!("the tag has `integrity=\"{value}\"`"))
                .change(format!("Change it to `integrity=\"{true_hash}\"`.")),
        );
    }
    let is_cross_origin = tag.src.as_ref().is_some_and(|src| src.origin() != page.url.origin());
    if is_cross_origin && tag.attribute("crossorigin").is_none() {
        let what = "the tag has `integrity`, but no `crossorigin`";
        found.push(
            Finding::new(Code::SnippetNoCors, page.url.clone(), what)
                .change("Add `crossorigin=\"anonymous\"` to the tag."),
        );
    } else if is_cross_origin && snippet.is_some_and(|answer| !is_allowed(&answer.headers, &site.page_origin())) {
        let what = "the snippet is answered without an `Access-Control-Allow-Origin` for the page";
        found.push(
            Finding::new(Code::SnippetNoCors, page.url.clone(), what).change(format!(
                "Answer with `Access-Control-Allow-Origin: {}` and `Vary: Origin`.",
                site.page_origin()
            )),
        );
    }
    found
}

fn is_allowed(headers: &HeaderMap, origin: &str) -> bool {
    let allowed = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).and_then(|value| value.to_str().ok());
    allowed.is_some_and(|allowed| allowed == "*" || allowed == origin)
}

/// Whether one of the hashes of the strongest kind is the body's; as in browsers, none that is known means yes.
fn has_hash(integrity: &str, body: &[u8]) -> bool {
    let hashes = |kind: &str| -> Vec<String> {
        let all = integrity.split_ascii_whitespace().filter_map(|hash| hash.split_once('-'));
        let of_kind = all.filter(|(name, _)| name.eq_ignore_ascii_case(kind));
        of_kind.map(|(_, hash)| hash.split('?').next().unwrap_or(hash).to_owned()).collect()
    };
    let matches = |given: &[String], digest: &[u8]| given.contains(&BASE64_STANDARD.encode(digest));
    for (given, digest) in [
        (hashes("sha512"), Sha512::digest(body).to_vec()),
        (hashes("sha384"), Sha384::digest(body).to_vec()),
        (hashes("sha256"), Sha256::digest(body).to_vec()),
    ] {
        if !given.is_empty() {
            return matches(&given, &digest);
        }
    }
    true
}

fn policies(site: &Site, page: &Found, tag: Option<&Script>) -> Vec<Finding> {
    let script = site.below(&site.snippet);
    let events = site.below(&site.events);
    let nonce = tag.and_then(|tag| tag.attribute("nonce"));
    let integrity = tag.and_then(|tag| tag.attribute("integrity"));
    let target = tag.and_then(|tag| tag.src.as_ref()).unwrap_or(&script);
    let place = site.tracking.as_str();
    let mut found = Vec::new();
    let wish = Wish::Script { nonce, integrity };
    for (code, wish, target) in
        [(Code::CspBlocksScript, wish, target), (Code::CspBlocksConnect, Wish::Connect, &events)]
    {
        let Some(block) = csp::blocking(&page.policies, wish, target, &page.url) else { continue };
        let what = format!("`{} {}` does not allow `{target}`", block.directive, block.sources);
        let wanted = if code == Code::CspBlocksScript { "script-src" } else { "connect-src" };
        // A fallback is not widened: what is added to `default-src` would hold for images and frames, too.
        let change = if block.directive == "default-src" {
            format!(
                "Add the directive `{wanted} {} {place}` to Content-Security-Policy.",
                block.sources.replace("'none'", "").trim()
            )
        } else {
            format!("Add `{place}` to `{}` in Content-Security-Policy.", block.directive)
        };
        found.push(Finding::new(code, page.url.clone(), what).change(change.replace("  ", " ")));
    }
    if found.is_empty() {
        let what = if page.policies.is_empty() {
            "has no Content-Security-Policy"
        } else {
            "allows the snippet and its events"
        };
        found.push(Finding::new(Code::CspAllows, page.url.clone(), what));
    }
    found
}

#[cfg(test)]
#[path = "tag_tests.rs"]
mod tests;
