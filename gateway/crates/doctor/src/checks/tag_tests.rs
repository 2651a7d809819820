//! Pages, and what is found on them.

use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;

use super::*;
use crate::html;

const TAG: &str = "<script async src='https://track.shop.example/t.js' data-key='wk_1' data-consent='wait'></script>";
const BODY: &[u8] = b"tidegate()";

fn site() -> Site {
    let mut site = Site::new("https://www.shop.example/", "track.shop.example").unwrap();
    site.key = Some("wk_1".into());
    site
}

fn snippet() -> Answer {
    Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::from_static(BODY),
        is_cut: false,
        at: SystemTime::UNIX_EPOCH,
    }
}

fn page(html: &str, policy: &[&str]) -> Found {
    let url = Url::parse("https://www.shop.example/").unwrap();
    let html = html::read(html.as_bytes(), &url);
    Found { url, html, policies: policy.iter().map(|policy| (*policy).to_owned()).collect() }
}

fn findings(html: &str) -> Vec<Finding> {
    judge(&site(), &page(html, &[]), Some(&snippet()))
}

fn codes(html: &str) -> Vec<Code> {
    findings(html).iter().map(|finding| finding.code).collect()
}

#[test]
fn a_right_tag_is_found_right() {
    assert_eq!(codes(TAG), [Code::TagFound, Code::CspAllows]);
    assert_eq!(codes(&TAG.replace("t.js", "t.js?v=3")), codes(TAG));
}

#[test]
fn each_thing_that_a_tag_lacks_has_its_code() {
    use Code::*;
    for (html, expected) in [
        (TAG.replace(" data-key='wk_1'", ""), TagNoKey),
        (TAG.replace("wk_1", "wk_2"), TagWrongKey),
        (TAG.replace("async", ""), TagBlocking),
        (TAG.replace("https:", "http:"), TagInsecure),
        (TAG.replace("'wait'", "'none'"), ConsentUnknown),
        (format!("{TAG}{TAG}"), TagTwice),
    ] {
        let codes = codes(&html);
        assert!(codes.contains(&TagFound) && codes.contains(&expected), "{html}: {codes:?}");
    }
}

#[test]
fn a_tag_that_is_not_there_is_missing_managed_or_elsewhere() {
    assert_eq!(codes("<p>")[0], Code::TagMissing);
    assert_eq!(codes(&format!("<!-- {TAG} -->"))[0], Code::TagMissing);
    assert_eq!(codes("<script src=https://www.googletagmanager.com/gtm.js?id=1></script>")[0], Code::TagManaged);
    assert_eq!(codes(&TAG.replace("track.shop", "old.shop"))[0], Code::TagElsewhere);
    assert_eq!(codes(&TAG.replace("/t.js", "/t/t.js"))[0], Code::TagElsewhere);
    let line = findings("<p>")[0].change.clone().unwrap();
    assert!(
        line.contains("<script async src=\"https://track.shop.example/t.js\" data-key=\"wk_1\"></script>"),
        "{line}"
    );
}

#[test]
fn an_integrity_hash_has_to_be_the_served_snippets() {
    let hash = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(BODY)));
    assert!(has_hash(&hash, BODY));
    assert!(has_hash(&format!("sha256-AAAA {hash}"), BODY), "any of a kind will do");
    assert!(!has_hash(&format!("{hash} sha512-AAAA"), BODY), "the strongest kind counts");
    assert!(has_hash("md5-AAAA", BODY), "an unknown kind is no condition");

    let with = |hash: &str| codes(&TAG.replace("async", &format!("async crossorigin integrity='{hash}'")));
    assert!(with("sha384-AAAA").contains(&Code::SnippetIntegrity));
    assert!(!with(&hash).contains(&Code::SnippetIntegrity));
    assert!(with(&hash).contains(&Code::SnippetNoCors), "the answer lacks Access-Control-Allow-Origin");
    let without = codes(&TAG.replace("async", &format!("async integrity='{hash}'")));
    assert!(without.contains(&Code::SnippetNoCors), "the tag lacks crossorigin");
}

#[test]
fn a_policy_that_blocks_says_what_to_add() {
    let blocked = judge(&site(), &page(TAG, &["default-src 'self'"]), None);
    let of = |code: Code| blocked.iter().find(|finding| finding.code == code).unwrap().change.clone().unwrap();
    assert_eq!(
        of(Code::CspBlocksScript),
        "Add the directive `script-src 'self' https://track.shop.example/` to Content-Security-Policy."
    );
    assert_eq!(
        of(Code::CspBlocksConnect),
        "Add the directive `connect-src 'self' https://track.shop.example/` to Content-Security-Policy."
    );
    let allowed = judge(&site(), &page(TAG, &["default-src 'self' https://track.shop.example/"]), None);
    assert!(allowed.iter().any(|finding| finding.code == Code::CspAllows), "the advice works");
}
