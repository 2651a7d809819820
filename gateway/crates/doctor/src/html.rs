//! Reads what matters of a page: its scripts, its base address, its policies. A tokenizer only: nothing is run.

use std::collections::BTreeMap;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};
use url::Url;

const SCRIPTS_MAX: usize = 2_000;
const POLICIES_MAX: usize = 20;

/// A `<script>` with a `src`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Script {
    /// The address, resolved against the page's.
    pub(crate) src: Option<Url>,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// What matters of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Page {
    pub(crate) scripts: Vec<Script>,
    /// Policies of `<meta http-equiv>`.
    pub(crate) policies: Vec<String>,
}

impl Script {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Reads a page that was found at an address.
pub(crate) fn read(html: &[u8], url: &Url) -> Page {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    let mut base: Option<Url> = None;
    // What a template holds is not run.
    let mut templates = 0_usize;
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            Token::StartTag(tag) => match tag.name.as_slice() {
                b"template" => templates += 1,
                _ if templates > 0 => {}
                b"base" if base.is_none() => base = attribute(&tag, "href").and_then(|href| url.join(&href).ok()),
                b"script" if page.scripts.len() < SCRIPTS_MAX => {
                    page.scripts.extend(script(&tag, base.as_ref().unwrap_or(url)));
                }
                b"meta" if page.policies.len() < POLICIES_MAX => page.policies.extend(policy(&tag)),
                _ => {}
            },
            Token::EndTag(tag) if tag.name.as_slice() == b"template" => templates = templates.saturating_sub(1),
            _ => {}
        }
    }
    page
}

fn script(tag: &StartTag<()>, base: &Url) -> Option<Script> {
    let src = attribute(tag, "src")?;
    let pairs = tag.attributes.iter().map(|(name, value)| (text(name), text(&value.value)));
    Some(Script { src: base.join(src.trim()).ok(), attributes: pairs.collect() })
}

fn policy(tag: &StartTag<()>) -> Option<String> {
    let kind = attribute(tag, "http-equiv")?;
    kind.trim().eq_ignore_ascii_case("content-security-policy").then(|| attribute(tag, "content")).flatten()
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| text(&value.value))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(html: &str) -> Vec<String> {
        let page = read(html.as_bytes(), &Url::parse("https://www.shop.example/a/").unwrap());
        page.scripts.iter().map(|script| script.src.as_ref().map_or("?".into(), Url::to_string)).collect()
    }

    #[test]
    fn only_tags_that_a_browser_runs_count() {
        assert_eq!(sources("<script async src=x.js></script>"), ["https://www.shop.example/a/x.js"]);
        assert_eq!(
            sources("<SCRIPT SRC='//t.shop.example/x.js?a&amp;b'></SCRIPT>"),
            ["https://t.shop.example/x.js?a&b"]
        );
        for none in [
            "<!-- <script src=x.js></script> -->",
            "<script>var a = '<script src=x.js>'</script>",
            "<textarea><script src=x.js></script></textarea>",
            "<title><script src=x.js></script></title>",
            "<template><template></template><script src=x.js></script></template>",
            "<script data-src=x.js></script>",
            "",
        ] {
            assert_eq!(sources(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn the_base_address_counts_for_what_follows_it() {
        let html =
            "<script src=a.js></script><base href='/b/'><script src=b.js></script><base href=/c/><script src=c.js>";
        let at = |path: &str| format!("https://www.shop.example{path}");
        assert_eq!(sources(html), [at("/a/a.js"), at("/b/b.js"), at("/b/c.js")]);
    }

    #[test]
    fn policies_of_meta_tags_are_read() {
        let html = b"<meta http-equiv=Content-Security-Policy content=\"default-src 'self'\"><meta name=x content=y>";
        let page = read(html, &Url::parse("https://a.example/").unwrap());
        assert_eq!(page.policies, ["default-src 'self'"]);
    }

    #[test]
    fn no_bytes_make_it_stumble() {
        for html in [&b"\xff\xfe<script src=\xff\xfe>"[..], b"<script src=http://[>", b"<", b"<script", b"\0\0<!"] {
            read(html, &Url::parse("https://a.example/").unwrap());
        }
    }
}
