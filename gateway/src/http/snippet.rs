//! The snippet: the script that a site's pages load, embedded in this program and made by `packages/tidegate-js`.
//!
//! At the site's path it may change with the next version, so browsers ask again after a while. At the path that names its
//! content it never changes: for tags with `integrity`.

use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;
use sha2::{Digest as _, Sha384};

use super::reply::{self, Reply};

const TEXT: &str = include_str!("../../../packages/tidegate-js/dist/tidegate.js");
/// An hour, and a day in which an older one is used while the next is fetched: a page never waits for it.
const AT_A_PATH: &str = "public, max-age=3600, stale-while-revalidate=86400";
const BY_CONTENT: &str = "public, max-age=31536000, immutable";

/// The script with what is told of it.
struct Snippet {
    plain: Bytes,
    gzip: Bytes,
    /// `sha384-…`, as a tag's `integrity`.
    integrity: String,
    /// The first characters of the digest, in hexadecimal.
    version: String,
    etag: HeaderValue,
}

static SNIPPET: LazyLock<Snippet> = LazyLock::new(Snippet::new);

impl Snippet {
    fn new() -> Snippet {
        let digest = Sha384::digest(TEXT);
        let version: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        // Writing into memory does not fail; without a compressed copy the plain one is sent.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(TEXT.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
        let etag = HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""));
        let integrity = format!("sha384-{}", BASE64_STANDARD.encode(digest));
        Snippet { plain: Bytes::from_static(TEXT.as_bytes()), gzip: Bytes::from(gzip), integrity, version, etag }
    }
}

/// A tag's `integrity`, for the script at [`versioned`].
pub fn integrity() -> &'static str {
    &SNIPPET.integrity
}

/// The path of this very script beside a site's path: `/t.js` becomes `/t.0a1b2c3d4e5f.js`.
pub fn versioned(path: &str) -> String {
    let stem = path.strip_suffix(".js").unwrap_or(path);
    format!("{stem}.{}.js", SNIPPET.version)
}

/// How a path names the script of a site, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    AtAPath,
    ByContent,
}

/// Whether a request's path is the script's of a site.
pub(super) fn named(path: &str, own: &str) -> Option<Named> {
    if path == own {
        return Some(Named::AtAPath);
    }
    (path == versioned(own)).then_some(Named::ByContent)
}

/// The script, or that it is still the same.
pub(super) fn answer(named: Named, headers: &HeaderMap) -> Reply {
    let snippet = &*SNIPPET;
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known == snippet.etag);
    let gzips = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(takes_gzip);
    let mut reply = match is_known {
        true => reply::empty(StatusCode::NOT_MODIFIED),
        false if gzips && !snippet.gzip.is_empty() => {
            let mut reply = Reply::new(Full::new(snippet.gzip.clone()));
            reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            reply
        }
        false => Reply::new(Full::new(snippet.plain.clone())),
    };
    let cache = match named {
        Named::AtAPath => AT_A_PATH,
        Named::ByContent => BY_CONTENT,
    };
    for (name, value) in [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, cache),
        (VARY, "accept-encoding"),
        // A tag with `integrity` asks across origins; there is nothing in it that is anybody's.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply.headers_mut().insert(ETAG, snippet.etag.clone());
    reply
}

fn takes_gzip(list: &str) -> bool {
    let is_refused =
        |parts: &str| parts.trim().strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
    list.split(',').any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused(parameters)
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn asked(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn it_has_two_paths_of_which_one_names_its_content() {
        let path = versioned("/t.js");
        assert!(path.starts_with("/t.") && path.ends_with(".js") && path.len() == "/t.0a1b2c3d4e5f.js".len(), "{path}");
        assert_eq!(named("/t.js", "/t.js"), Some(Named::AtAPath));
        assert_eq!(named(&path, "/t.js"), Some(Named::ByContent));
        assert_eq!(named("/t.000000000000.js", "/t.js"), None);
        let cache = |named| answer(named, &HeaderMap::new()).headers()[CACHE_CONTROL].to_str().unwrap().to_owned();
        assert_eq!(cache(Named::AtAPath), AT_A_PATH);
        assert_eq!(cache(Named::ByContent), BY_CONTENT);
    }

    #[tokio::test]
    async fn it_is_compressed_for_who_takes_that_and_not_sent_to_who_has_it() {
        let plain = answer(Named::AtAPath, &HeaderMap::new());
        assert_eq!(plain.headers().get(CONTENT_ENCODING), None);
        let etag = plain.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(plain.into_body().collect().await.unwrap().to_bytes(), TEXT);

        let gzip = answer(Named::AtAPath, &asked(&[(ACCEPT_ENCODING, "br, gzip;q=0.8")]));
        assert_eq!(gzip.headers()[CONTENT_ENCODING], "gzip");
        let size = gzip.into_body().collect().await.unwrap().to_bytes().len();
        assert!(size <= 6 * 1024, "{size}");
        assert_eq!(
            answer(Named::AtAPath, &asked(&[(ACCEPT_ENCODING, "gzip;q=0")])).headers().get(CONTENT_ENCODING),
            None
        );

        let known = answer(Named::AtAPath, &asked(&[(IF_NONE_MATCH, &etag)]));
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn its_digest_is_what_a_browser_compares() {
        let expected = format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(TEXT)));
        assert_eq!(integrity(), expected);
    }
}
