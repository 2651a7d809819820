//! What a browser is given beside the answers to its events: the snippet, redirects, and nothing where a site wants no
//! cookies; and what is taken back from it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_tests::{Answer, Destinations, HOOK, ORIGIN, Process, Settings, Stack, WRITE_KEY};

#[path = "../../gateway/crates/consent/tests/support/mmdb.rs"]
mod mmdb;

const LAMPS: &str = "https://www.shop.example/lamps?gclid=Cj0K";

/// A site with these lines more, and a webhook.
async fn site(lines: &str) -> Stack {
    let more = format!("{lines}\n{HOOK}");
    Stack::with(Settings { destinations: Destinations::None, more, ..Settings::default() }).await
}

fn view(consent: &str) -> Value {
    json!({ "event": "page_view", "consent": consent, "page": { "url": LAMPS } })
}

async fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = stack.request(Method::GET, path).header("host", "track.shop.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    stack.send(request).await.unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The cookies that an answer sets, and for how long.
fn set(answer: &Answer) -> Vec<(String, u32)> {
    let age = |line: &str| line.split("; ").find_map(|part| part.strip_prefix("Max-Age=")?.parse().ok()).unwrap();
    answer.cookies().into_iter().map(|(name, _, line)| (name, age(&line))).collect()
}

/// A `Cookie` line of all that an answer sets.
fn jar(answer: &Answer) -> String {
    let pairs: Vec<String> = answer.cookies().iter().map(|(name, value, _)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

#[tokio::test]
async fn the_snippet_is_served_where_the_site_says_and_its_tag_is_printed() {
    let stack = site("snippet = \"/main.js\"").await;
    let script = get(&stack, "/main.js", &[]).await;
    assert_eq!((script.status, header(&script, "content-type")), (200, "text/javascript; charset=utf-8"));
    assert!(script.text.contains("v1/events") && !script.text.contains("http://"), "{}", script.text);
    assert_eq!(header(&script, "x-content-type-options"), "nosniff");
    let again = get(&stack, "/main.js", &[("if-none-match", header(&script, "etag"))]).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(get(&stack, "/t.js", &[]).await.status, 404);

    let config = stack.dir.path().join("tidegate.toml");
    let tracking = ["--tracking", "https://www.shop.example/t"];
    let command = [&["snippet", "--integrity", "--json", "--config", config.to_str().unwrap()], &tracking[..]].concat();
    let output = Process::command(&command).output().await.unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let src = said["src"].as_str().unwrap();
    let path = src.strip_prefix("https://www.shop.example/t").unwrap();
    let fixed = get(&stack, path, &[]).await;
    assert_eq!((fixed.status, &fixed.text), (200, &script.text));
    assert_eq!(header(&fixed, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&fixed, "access-control-allow-origin"), "*", "or `integrity` could not be checked");
    assert!(said["html"].as_str().unwrap().contains(said["integrity"].as_str().unwrap()));
}

#[tokio::test]
async fn who_withdraws_consent_loses_the_cookies_and_no_platform_hears_of_it() {
    let stack = site("").await;
    let given = stack.post_from_page(&view("marketing"), "_ttp=abc").await;
    let names: Vec<String> = set(&given).into_iter().map(|(name, _)| name).collect();
    for name in ["__Secure-tg_vid", "_gcl_aw", "_fbp", "_ttp", "tg_consent"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    let withdrawn = json!({ "event": "consent_updated", "message_id": "w1", "consent": "none" });
    let answer = stack.post_from_page(&withdrawn, &format!("{}; _ttp=abc", jar(&given))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (name, age) in set(&answer) {
        assert_eq!(age > 0, name == "tg_consent", "{name} lives {age}");
    }
    let expired: Vec<String> = set(&answer).into_iter().filter(|(_, age)| *age == 0).map(|(name, _)| name).collect();
    for name in ["__Secure-tg_vid", "_gcl_aw", "_fbp", "_ttp"] {
        assert!(expired.iter().any(|known| known == name), "{name}: {expired:?}");
    }
    // Also where consent is given: it is no event of a platform.
    let given = json!({ "event": "consent_updated", "message_id": "g1", "consent": "marketing", "customer_id": "c" });
    stack.take(&given).await;
    let trace = stack.trace("g1").await;
    let hook = &trace["destinations"][0];
    assert_eq!((&hook["name"], &hook["outcome"]), (&json!("hook"), &json!("dropped")), "{trace:#}");
    assert_eq!(hook["reason"], "it only tells the gateway of the visitor's consent");
}

#[tokio::test]
async fn an_event_that_waited_in_the_browser_takes_nothing_back() {
    let stack = site("").await;
    let given = stack.post_from_page(&view("marketing"), "").await;
    let all = jar(&given);
    let now_s: u64 = all.split("v1.marketing.").nth(1).and_then(|rest| rest.split(';').next()?.parse().ok()).unwrap();
    let told = |consent: &str, ms_ago: u64| {
        let at_ms = now_s * 1_000 - ms_ago;
        json!({ "event": "page_view", "consent": consent, "timestamp": at_ms, "page": { "url": LAMPS } })
    };
    let refused = all.replace("marketing", "none");
    let without = all.replace("tg_consent", "other");
    for (events, cookies, level) in [
        (json!([told("analytics", 3_600_000)]), &all, "marketing"),
        (json!([told("marketing", 3_600_000)]), &refused, "none"),
        (json!([told("none", 900), told("marketing", 800)]), &without, "marketing"),
        (json!([told("marketing", 800), told("none", 900)]), &without, "marketing"),
        (json!([told("marketing", 900), told("none", 800)]), &without, "none"),
    ] {
        let set = set(&stack.post_from_page(&json!({ "events": events }), cookies).await);
        let lives = |name: &str| set.iter().find(|(known, _)| known == name).map(|(_, age)| *age > 0);
        let expected = Some(level == "marketing");
        assert_eq!((lives("__Secure-tg_vid"), lives("_fbp")), (expected, expected), "{events} over {cookies}: {set:?}");
    }
}

#[tokio::test]
async fn a_pages_default_sends_nothing_on_and_takes_nothing_back() {
    let stack = site("").await;
    let given = stack.post_from_page(&view("marketing"), "").await;
    let mut event = view("marketing");
    event["consent"] = json!({ "default": "none" });
    let answer = stack.post_from_page(&event, &jar(&given)).await;
    assert_eq!((answer.status, set(&answer)), (200, Vec::new()), "{}", answer.text);
    let trace = stack.trace(&answer.event_id(0)).await;
    assert_eq!((&trace["consent"]["signal"], &trace["outcome"]), (&json!("page-default"), &json!("dropped")));
}

#[tokio::test]
async fn a_page_that_sends_before_its_banner_takes_nothing_back() {
    let stack = site("").await;
    let given = stack.post_from_page(&view("marketing"), "").await;
    let silent = json!({ "event": "page_view", "page": { "url": LAMPS } });
    let without: Vec<String> =
        given.cookies().iter().filter(|(n, ..)| n != "tg_consent").map(|(n, v, _)| format!("{n}={v}")).collect();
    let answer = stack.post_from_page(&silent, &without.join("; ")).await;
    assert_eq!(set(&answer), [], "the default is nobody's withdrawal");
}

#[tokio::test]
async fn a_redirect_leads_to_the_sites_own_hosts_and_nowhere_else() {
    let stack = site("redirect_hosts = [\"www.shop.example\"]").await;
    let to = |url: &str| format!("/r?gclid=Cj0K&to={}", url.replace(':', "%3A").replace('/', "%2F"));
    let answer = get(&stack, &to("https://www.shop.example/lamps"), &[("x-forwarded-proto", "https")]).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    assert_eq!(header(&answer, "location"), "https://www.shop.example/lamps?gclid=Cj0K");
    assert_eq!(set(&answer), [], "the site's default is none");
    let consents = [("x-forwarded-proto", "https"), ("cookie", "tg_consent=v1.marketing.1700000000")];
    let answer = get(&stack, &to("https://www.shop.example/"), &consents).await;
    let names: Vec<String> = set(&answer).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name == "__Secure-tg_vid"), "{names:?}");
    assert!(names.iter().any(|name| name == "_gcl_aw"), "{names:?}");
    for elsewhere in [
        "https://evil.example/",
        "https://www.shop.example.evil.example/",
        "https://www.shop.example@evil.example/",
        "javascript:alert(1)",
        "//evil.example/",
    ] {
        let answer = get(&stack, &to(elsewhere), &[]).await;
        assert_eq!((answer.status, header(&answer, "location")), (400, ""), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_site_without_cookies_knows_a_visitor_for_a_day_and_writes_nothing() {
    let stack = site("cookieless = true").await;
    let mut visitors = Vec::new();
    for _ in 0..2 {
        let answer = stack.post_from_page(&view("marketing"), "").await;
        assert_eq!((answer.status, set(&answer)), (200, vec![]));
        let trace = stack.trace(&answer.event_id(0)).await;
        visitors.push(trace["event"]["anonymous_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(visitors[0], visitors[1]);

    // Two behind one address are one visitor, and still are told nothing of each other.
    let mut known = view("marketing");
    known["user"] = json!({ "email": "ann@shop.example" });
    known["page"]["url"] = json!("https://www.shop.example/?gclid=AnnsClick");
    stack.post_from_page(&known, "").await;
    let other = json!({ "event": "purchase", "message_id": "other", "consent": "marketing" });
    assert_eq!(stack.post_from_page(&other, "").await.status, 200);
    let event = stack.trace("other").await["event"].clone();
    assert_eq!(event["anonymous_id"], json!(visitors[0]));
    assert!(event.get("identifiers").is_none() && event.get("clicks").is_none(), "{event:#}");
}

#[tokio::test]
async fn a_site_that_became_cookieless_takes_back_what_it_set_before() {
    let before = site("").await.post_from_page(&view("marketing"), "").await;
    let stack = site("cookieless = true").await;
    let withdrawn = json!({ "event": "consent_updated", "message_id": "w1", "consent": "none" });
    let answer = stack.post_from_page(&withdrawn, &jar(&before)).await;
    let lines = set(&answer);
    assert!(lines.iter().any(|(name, _)| name == "__Secure-tg_vid"), "{lines:?}");
    assert!(lines.iter().all(|(_, age)| *age == 0), "{lines:?}");
}

#[tokio::test]
async fn a_redirect_writes_what_the_default_of_the_visitors_region_allows() {
    let networks = [("203.0.113.0", 24, "DE", None), ("198.51.100.0", 24, "US", Some("CA"))];
    let stack = Stack::with(Settings {
        consent_default: "marketing",
        regions: r#"{ "EEA" = "none" }"#,
        destinations: Destinations::None,
        more: format!("redirect_hosts = [\"www.shop.example\"]\n[geo]\ndatabase = \"places.mmdb\"\n{HOOK}"),
        files: vec![("places.mmdb", mmdb::database("GeoLite2-City", &networks))],
        ..Settings::default()
    })
    .await;
    for (address, is_given) in [("203.0.113.7", false), ("198.51.100.7", true)] {
        let headers = [("x-forwarded-proto", "https"), ("x-forwarded-for", address)];
        let answer = get(&stack, "/r?fbclid=AbC&to=https%3A%2F%2Fwww.shop.example%2F", &headers).await;
        assert_eq!((answer.status, !answer.cookies().is_empty()), (302, is_given), "{address}: {:?}", answer.cookies());
    }
}

#[tokio::test]
async fn a_page_may_read_when_to_try_again_and_private_networks_are_asked_for() {
    let stack = site("").await;
    let request = stack.request(Method::OPTIONS, "/v1/events").header("origin", ORIGIN);
    let answer = stack.send(request.header("access-control-request-private-network", "true")).await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-private-network"), "true");
    assert_eq!(header(&answer, "access-control-expose-headers"), "retry-after");
    let request = stack.request(Method::OPTIONS, "/v1/events").header("origin", "https://evil.example");
    let answer = stack.send(request.header("access-control-request-private-network", "true")).await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-private-network"), "");
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_pixel_is_an_event_and_an_image_whatever_becomes_of_it() {
    let stack = site("").await;
    let at = |query: &str| format!("/p.gif?{query}");
    let mail = format!(
        "write_key={WRITE_KEY}&event=email_open&id=may-sale-4711&customer_id=c1&consent=analytics&campaign=may+sale"
    );
    for outcome in ["accepted", "duplicate"] {
        let answer = get(&stack, &at(&mail), &[]).await;
        assert_eq!((answer.status, header(&answer, "content-type")), (200, "image/gif"), "{outcome}");
        assert_eq!((header(&answer, "cache-control"), header(&answer, "x-tidegate-error")), ("no-store", ""));
        assert!(answer.text.starts_with("GIF89a"));
        assert_eq!(answer.cookies(), [], "a mail's reader is no visitor");
    }
    let trace = stack.trace("may-sale-4711").await;
    let event = &trace["event"];
    assert_eq!((&event["name"], &event["properties"]["campaign"]), (&json!("email_open"), &json!("may sale")));

    let view =
        format!("write_key={WRITE_KEY}&id=v1&consent=marketing&url=https%3A%2F%2Fshop.example%2F%3Fgclid%3DCj0K");
    let page = [("sec-fetch-site", "same-site"), ("x-forwarded-proto", "https")];
    let seen = get(&stack, &at(&view), &page).await;
    let names: Vec<String> = set(&seen).into_iter().map(|(name, _)| name).collect();
    assert!(
        names.iter().any(|name| name == "__Secure-tg_vid") && names.iter().any(|name| name == "_gcl_aw"),
        "{names:?}"
    );

    for (query, status, why) in [
        ("write_key=nobodys", 401, "unknown write key"),
        ("", 401, "no write key"),
        (&format!("write_key={WRITE_KEY}&customer_id=c1&timestamp=soon"), 400, "timestamp"),
        (&format!("write_key={WRITE_KEY}&event=email_open"), 400, "customer_id"),
    ] {
        let answer = get(&stack, &at(query), &[]).await;
        assert_eq!((answer.status, header(&answer, "content-type")), (status, "image/gif"), "{query}");
        assert!(answer.text.starts_with("GIF89a") && header(&answer, "x-tidegate-error").contains(why), "{query}");
    }
    // Whose page it is, an image does not tell: a link on any page leads here with the visitor's cookies, and so may an image.
    let known = [("cookie", &*jar(&seen)), ("x-forwarded-proto", "https")];
    let forged = at(&format!("write_key={WRITE_KEY}&id=forged&consent=none"));
    for led in [("sec-fetch-mode", "navigate"), ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")] {
        let answer = get(&stack, &forged, &[&known[..], &[led]].concat()).await;
        assert_eq!((answer.status, answer.cookies(), &answer.text[..6]), (403, vec![], "GIF89a"), "{led:?}");
    }
    let elsewhere = at(&format!("write_key={WRITE_KEY}&id=elsewhere&consent=marketing&customer_id=c9"));
    let page = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("referer", "https://mail.example/")];
    let answer = get(&stack, &elsewhere, &[&known[..], &page].concat()).await;
    assert_eq!((answer.status, answer.cookies()), (200, vec![]), "{}", answer.text);
    let event = stack.trace("elsewhere").await["event"].clone();
    assert_eq!((&event["anonymous_id"], &event["page"]), (&Value::Null, &json!({})), "{event:#}");

    let posted = stack.send(stack.request(Method::POST, "/p.gif")).await.unwrap();
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn a_visitor_stays_the_same_on_the_sites_other_domain() {
    let settings = Settings { destinations: Destinations::None, more: HOOK.into(), ..Settings::default() };
    let stack = Stack::with(Settings { hosts: vec!["track.shop-b.example"], ..settings }).await;
    let post = async |host: &str, body: &Value, cookies: &str| {
        let request =
            stack.request(Method::POST, "/v1/events").header("host", host).header("x-forwarded-proto", "https");
        let request = request.header("origin", ORIGIN).header("content-type", "text/plain").header("cookie", cookies);
        stack.send(request.body(body.to_string())).await.unwrap()
    };
    let body = |consent: &str, more: Value| {
        let mut body = json!({ "write_key": WRITE_KEY, "events": [view(consent)] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let visitor = |answer: &Answer| {
        let found = answer.cookies().into_iter().find(|(name, ..)| name == "__Secure-tg_vid");
        found.map(|(_, value, line)| (value.split('.').nth(2).map(str::to_owned), line))
    };
    let asks = json!({ "link": true });
    let none = post("track.shop.example", &body("none", asks.clone()), "").await;
    assert_eq!((none.status, none.json.get("link")), (200, None), "before consent nobody is told on");
    let first = post("track.shop.example", &body("marketing", asks), "").await;
    let token = first.json["link"].as_str().unwrap();
    let (own, _) = visitor(&first).unwrap();

    let arriving = json!({ "arrived": token });
    let second = post("track.shop-b.example", &body("marketing", arriving.clone()), "").await;
    let (arrived, line) = visitor(&second).unwrap();
    assert_eq!(arrived, own);
    assert!(line.contains("Domain=shop-b.example"), "{line}");
    let id = second.event_id(0);
    assert_eq!(stack.trace(&id).await["event"]["clicks"][0]["value"], json!("Cj0K"));

    // Who is known there stays who that is; a token that was changed is nobody's.
    let known = post("track.shop-b.example", &body("marketing", json!({})), "").await;
    let (other, _) = visitor(&known).unwrap();
    let kept = post("track.shop-b.example", &body("marketing", arriving), &jar(&known)).await;
    assert_eq!(visitor(&kept).map(|(id, _)| id), Some(other.clone()));
    assert_ne!(other, own);
    let forged = json!({ "arrived": format!("{token}x") });
    let stranger = post("track.shop-b.example", &body("marketing", forged), "").await;
    assert_eq!(stranger.status, 200, "{}", stranger.text);
    assert_ne!(visitor(&stranger).unwrap().0, own);
}
