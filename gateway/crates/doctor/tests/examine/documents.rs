//! The page, its tag and its policies.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HOST, LOCATION};
use http_body_util::Full;
use tidegate_doctor::Code;
use url::Url;

use crate::world::{Behaviour, Shop, TAG, set};

#[tokio::test]
async fn a_page_without_the_tag_is_told_which_line_to_add() {
    let mut shop = Shop::new();
    shop.html = "<p>Welcome".into();
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::TagMissing]);
    let change = seen.one(Code::TagMissing).change.as_deref().unwrap();
    assert!(change.contains("data-key=\"wk_1\""), "{change}");
}

#[tokio::test]
async fn a_policy_of_a_header_and_one_of_a_meta_tag_both_count() {
    let mut shop = Shop::new();
    shop.on_page(|_, answer| {
        set(answer.headers_mut(), CONTENT_SECURITY_POLICY, "script-src 'self'");
    });
    assert_eq!(shop.examine().await.wrong(), [Code::CspBlocksScript]);

    let mut shop = Shop::new();
    shop.html = format!("<meta http-equiv=Content-Security-Policy content=\"connect-src 'none'\">{TAG}");
    assert_eq!(shop.examine().await.wrong(), [Code::CspBlocksConnect]);
}

#[tokio::test]
async fn a_wrong_integrity_hash_is_answered_with_the_right_one() {
    let mut shop = Shop::new();
    shop.html = TAG.replace("async", "async crossorigin integrity=sha384-AAAA");
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::SnippetIntegrity]);
    let right = seen.one(Code::SnippetIntegrity).change.clone().unwrap();
    let hash = right.split('"').nth(1).unwrap().to_owned();

    let mut shop = Shop::new();
    shop.html = TAG.replace("async", &format!("async crossorigin integrity='{hash}'"));
    assert_eq!(shop.examine().await.wrong(), []);
}

#[tokio::test]
async fn a_huge_page_is_read_to_its_bound() {
    let mut shop = Shop::new();
    shop.html = format!("{TAG}{}", " ".repeat(8 << 20));
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::PageTooLarge]);
    assert!(seen.codes().contains(&Code::TagFound));
}

#[tokio::test]
async fn redirects_are_followed_within_the_site() {
    let mut shop = Shop::new();
    shop.site.page = Url::parse("https://shop.example/").unwrap();
    shop.site.origins.push("https://shop.example".into());
    shop.name("shop.example", "198.51.100.10");
    shop.on_page(|request, answer| {
        if request.headers().get(HOST).is_some_and(|host| host == "shop.example") {
            *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
            set(answer.headers_mut(), LOCATION, "https://www.shop.example/");
        }
    });
    let seen = shop.examine().await;
    assert!(seen.codes().contains(&Code::TagFound));
    let change = seen.one(Code::PageRedirects).change.as_deref();
    assert_eq!(change, Some("Run the doctor for `https://www.shop.example/`."));
}

#[tokio::test]
async fn redirects_end() {
    for (location, expected) in [
        ("https://www.shop.example/", Code::PageRedirectLoop),
        ("https://login.other.test/", Code::PageLeavesSite),
        ("ftp://www.shop.example/", Code::PageLeavesSite),
        ("https://[", Code::PageStatus),
    ] {
        let mut shop = Shop::new();
        shop.on_page(move |_, answer| {
            *answer.status_mut() = StatusCode::FOUND;
            set(answer.headers_mut(), LOCATION, location);
        });
        let seen = shop.examine().await;
        assert_eq!(seen.wrong(), [expected, Code::Unchecked], "{location}");
    }
}

#[tokio::test]
async fn a_page_that_fails_is_no_page_without_a_tag() {
    let mut shop = Shop::new();
    shop.on_page(|_, answer| *answer.status_mut() = StatusCode::BAD_GATEWAY);
    assert_eq!(shop.examine().await.wrong(), [Code::PageStatus, Code::Unchecked]);

    let mut shop = Shop::new();
    shop.page = Behaviour::Absent;
    assert_eq!(shop.examine().await.wrong(), [Code::Unreachable, Code::Unchecked]);

    let mut shop = Shop::new();
    shop.on_page(|_, answer| set(answer.headers_mut(), CONTENT_ENCODING, "gzip"));
    assert_eq!(shop.examine().await.wrong(), [Code::Unchecked, Code::Unchecked]);
}

#[tokio::test]
async fn bytes_that_are_no_html_are_a_page_without_a_tag() {
    let mut shop = Shop::new();
    shop.on_page(|_, answer| *answer.body_mut() = Full::new(Bytes::from_static(b"\xff\xfe\0<script src=\xff>")));
    assert_eq!(shop.examine().await.wrong(), [Code::TagMissing]);
}
