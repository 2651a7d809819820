//! CORS, the snippet and the gateway's health.

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, VARY,
};
use tidegate_doctor::Code;

use crate::world::{Shop, set};

#[tokio::test]
async fn a_gateway_that_mirrors_any_origin_is_found_out() {
    let mut shop = Shop::new();
    shop.on_tracking(|request, answer| {
        if let Some(origin) = request.headers().get(ORIGIN) {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            set(answer.headers_mut(), ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    });
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::CorsAnyOrigin; 3]);
    assert!(seen.codes().contains(&Code::CorsMirrored));
}

#[tokio::test]
async fn a_gateway_that_knows_origins_by_their_beginning_is_found_out() {
    let mut shop = Shop::new();
    shop.on_tracking(|request, answer| {
        let origin = request.headers().get(ORIGIN);
        if let Some(origin) = origin.filter(|origin| origin.as_bytes().starts_with(b"https://www.shop.example")) {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            set(answer.headers_mut(), ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    });
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::CorsAnyOrigin]);
    assert_eq!(seen.one(Code::CorsAnyOrigin).subject, "https://www.shop.example.doctor.invalid");
}

#[tokio::test]
async fn a_star_is_no_leave_to_send_cookies() {
    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| set(answer.headers_mut(), ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    let seen = shop.examine().await;
    assert_eq!(seen.wrong()[0], Code::CorsNoCredentials);
    assert!(seen.wrong()[1..].iter().all(|code| *code == Code::CorsForeign));
}

#[tokio::test]
async fn an_origin_that_is_not_configured_is_refused() {
    let mut shop = Shop::new();
    shop.site.origins = vec!["https://shop.example".into()];
    shop.on_tracking(|_, answer| drop(answer.headers_mut().remove(ACCESS_CONTROL_ALLOW_ORIGIN)));
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::CorsRefused, Code::CorsRefused, Code::OriginNotListed]);
    let change = seen.one(Code::OriginNotListed).change.as_deref();
    assert_eq!(change, Some("Add \"https://www.shop.example\" to `origins` of the site."));
}

#[tokio::test]
async fn a_mirrored_origin_without_vary_may_be_cached_for_another() {
    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| set(answer.headers_mut(), VARY, "accept-encoding"));
    assert_eq!(shop.examine().await.wrong(), [Code::CorsNoVary]);
}

#[tokio::test]
async fn a_snippet_may_be_missing_of_a_wrong_type_or_not_cached() {
    let mut shop = Shop::new();
    shop.site.snippet = "other.js".into();
    assert!(shop.examine().await.wrong().contains(&Code::SnippetMissing));

    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| set(answer.headers_mut(), CONTENT_TYPE, "text/html"));
    assert_eq!(shop.examine().await.wrong(), [Code::SnippetNotJavascript]);

    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| drop(answer.headers_mut().remove(CACHE_CONTROL)));
    assert_eq!(shop.examine().await.wrong(), [Code::SnippetNotCached]);
}

#[tokio::test]
async fn a_gateway_that_takes_no_events_says_so() {
    let mut shop = Shop::new();
    shop.on_tracking(|request, answer| {
        if request.uri().path() == "/health" {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
    });
    assert_eq!(shop.examine().await.wrong(), [Code::GatewayUnhealthy]);
}
