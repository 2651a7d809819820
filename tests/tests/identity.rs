//! Identity: the visitor's cookie, the platforms' cookies, click IDs, and what later events know of earlier ones.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate::clock::{Clock as _, SystemClock};
use tidegate_tests::{Answer, Destinations, ORIGIN, Settings, Stack, WRITE_KEY};

const VISITOR: &str = "__Secure-tg_vid";
/// What keeps the consent that the event told.
const CONSENT: &str = "tg_consent";

/// A gateway that only collects.
async fn collector() -> Stack {
    Stack::with(Settings { destinations: Destinations::None, ..Settings::default() }).await
}

/// A view of the page of this address.
fn view(url: &str, consent: &str) -> Value {
    json!({ "event": "page_view", "consent": consent, "page": { "url": url } })
}

const LAMPS: &str = "https://www.shop.example/lamps";

/// The line that sets a cookie.
fn line(answer: &Answer, name: &str) -> Option<String> {
    answer.cookies().into_iter().find(|(known, _, _)| known == name).map(|(_, _, line)| line)
}

/// A cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let found = answer.cookies().into_iter().find(|(known, _, _)| known == name);
    found.unwrap_or_else(|| panic!("no cookie `{name}` in {:?}", answer.cookies())).1
}

fn names(answer: &Answer) -> Vec<String> {
    answer.cookies().into_iter().map(|(name, _, _)| name).collect()
}

async fn anonymous_id(stack: &Stack, answer: &Answer) -> String {
    let trace = stack.trace(&answer.event_id(0)).await;
    trace["event"]["anonymous_id"].as_str().unwrap_or_default().to_owned()
}

/// Everything after `name=value`, in order.
fn attributes(line: &str) -> Vec<&str> {
    line.split("; ").skip(1).collect()
}

#[tokio::test]
async fn the_visitors_cookie_is_set_for_the_site_and_scripts_cannot_read_it() {
    let stack = collector().await;
    let answer = stack.post_from_page(&view(LAMPS, "analytics"), "").await;
    assert_eq!(names(&answer), [VISITOR, CONSENT], "and no platform's cookie");
    let line = line(&answer, VISITOR).unwrap();
    let expected = ["Path=/", "Max-Age=34560000", "SameSite=Lax", "Domain=shop.example", "Secure", "HttpOnly"];
    assert_eq!(attributes(&line), expected);
    let value = cookie(&answer, VISITOR);
    let parts: Vec<_> = value.split('.').collect();
    assert_eq!((parts.len(), parts[0], parts[1]), (5, "v1", "k1"), "{value}");
    assert_eq!(parts[2], anonymous_id(&stack, &answer).await);
}

#[tokio::test]
async fn by_plain_http_on_an_address_the_cookie_is_the_hosts_own_without_a_prefix() {
    let stack = collector().await;
    let body = view("http://127.0.0.1:8080/", "analytics").to_string();
    let request = stack.request(Method::POST, "/v1/events").header("origin", ORIGIN).header("x-write-key", WRITE_KEY);
    let answer = stack.send(request.body(body)).await.unwrap();
    assert_eq!(names(&answer), ["tg_vid", CONSENT]);
    assert_eq!(
        attributes(&line(&answer, "tg_vid").unwrap()),
        ["Path=/", "Max-Age=34560000", "SameSite=Lax", "HttpOnly"]
    );
}

#[tokio::test]
async fn the_visitors_cookie_keeps_the_visitor() {
    let stack = collector().await;
    let first = stack.post_from_page(&view(LAMPS, "analytics"), "").await;
    let value = cookie(&first, VISITOR);
    let cookies = format!("theme=dark; {VISITOR}={value}; other=1");
    let second = stack.post_from_page(&view(LAMPS, "analytics"), &cookies).await;
    assert_eq!(anonymous_id(&stack, &first).await, anonymous_id(&stack, &second).await);
    let again = cookie(&second, VISITOR);
    let id = |value: &str| value.split('.').nth(2).map(str::to_owned);
    assert_eq!(id(&again), id(&value), "it is renewed for the same visitor");
    let stranger = stack.post_from_page(&view(LAMPS, "analytics"), "").await;
    assert_ne!(anonymous_id(&stack, &first).await, anonymous_id(&stack, &stranger).await);
}

#[tokio::test]
async fn a_forged_cookie_is_nobodys_and_is_counted() {
    let stack = collector().await;
    let first = stack.post_from_page(&view(LAMPS, "analytics"), "").await;
    let id = anonymous_id(&stack, &first).await;
    let value = cookie(&first, VISITOR);
    let (signed, _) = value.rsplit_once('.').unwrap();
    for forged in [id.clone(), format!("{signed}.AAAAAAAAAAAAAAAAAAAAAA"), value.replace(".k1.", ".k2."), signed.into()]
    {
        let answer = stack.post_from_page(&view(LAMPS, "analytics"), &format!("{VISITOR}={forged}")).await;
        assert_eq!(answer.status, 200);
        let given = anonymous_id(&stack, &answer).await;
        assert!(!given.is_empty() && given != id, "{forged} became {given}");
        assert_eq!(cookie(&answer, VISITOR).split('.').nth(2), Some(given.as_str()));
    }
    let metrics = stack.admin("/metrics").await.text;
    assert!(metrics.contains("tidegate_forged_cookies_total 4"), "{metrics}");
}

#[tokio::test]
async fn without_consent_no_cookie_is_set_whatever_the_browser_brought() {
    let stack = collector().await;
    let clicked = view("https://www.shop.example/?fbclid=AbC", "none");
    let answer = stack.post_from_page(&clicked, "_fbp=fb.1.1700000000000.5").await;
    assert_eq!((answer.status, names(&answer)), (200, vec![]));
    let mixed = json!({ "events": [view(LAMPS, "marketing"), view(LAMPS, "none")] });
    let answer = stack.post_from_page(&mixed, "").await;
    assert_eq!((answer.status, names(&answer)), (200, vec![]), "the most restrictive event decides");
    let silent = json!({ "event": "page_view" });
    assert_eq!(names(&stack.post_from_page(&silent, "").await), Vec::<String>::new(), "and so does the site's default");
}

#[tokio::test]
async fn a_backend_and_a_host_that_is_not_the_sites_get_no_cookie() {
    let stack = collector().await;
    let mut event = view(LAMPS, "marketing");
    event["customer_id"] = json!("c");
    assert_eq!(names(&stack.post("/v1/events", &event).await), Vec::<String>::new());
    let request = stack.request(Method::POST, "/v1/events").header("origin", ORIGIN).header("x-write-key", WRITE_KEY);
    let answer = stack.send(request.header("host", "other.example").body(event.to_string())).await.unwrap();
    assert_eq!((answer.status, names(&answer)), (200, vec![]));
}

const CLICKED: &str = "https://www.shop.example/?fbclid=IwAR_AbC-9&gclid=Cj0K.x&ttclid=E.C.P&msclkid=m5c1&utm_source=x";

#[tokio::test]
async fn click_ids_become_the_platforms_own_cookies_with_consent_to_marketing() {
    let stack = collector().await;
    let answer = stack.post_from_page(&view(CLICKED, "marketing"), "").await;
    let mut set = names(&answer);
    set.sort();
    assert_eq!(set, [VISITOR, "_fbc", "_fbp", "_gcl_aw", "_uetmsclkid", CONSENT, "ttclid"]);
    let at_ms = stack.trace(&answer.event_id(0)).await["event"]["received_ms"].as_u64().unwrap();
    assert_eq!(cookie(&answer, "_fbc"), format!("fb.1.{at_ms}.IwAR_AbC-9"));
    assert_eq!(cookie(&answer, "_gcl_aw"), format!("GCL.{}.Cj0K.x", at_ms / 1000));
    assert_eq!((cookie(&answer, "ttclid"), cookie(&answer, "_uetmsclkid")), ("E.C.P".into(), "_uetm5c1".into()));
    assert!(cookie(&answer, "_fbp").starts_with(&format!("fb.1.{at_ms}.")));
    let expected = ["Path=/", "Max-Age=7776000", "SameSite=Lax", "Domain=shop.example", "Secure"];
    assert_eq!(attributes(&line(&answer, "_fbc").unwrap()), expected, "the platforms' own scripts read it");

    let answer = stack.post_from_page(&view(CLICKED, "analytics"), "").await;
    assert_eq!(names(&answer), [VISITOR, CONSENT]);
    let event = stack.trace(&answer.event_id(0)).await["event"].clone();
    assert_eq!(
        (&event["clicks"], &event["page"]["url"]),
        (&Value::Null, &json!("https://www.shop.example/?utm_source=x"))
    );
}

#[tokio::test]
async fn the_same_click_keeps_its_first_time_and_another_one_replaces_it() {
    let stack = collector().await;
    let same = "_fbc=fb.1.1700000000123.IwAR_AbC-9.AQ; _gcl_aw=GCL.1700000000.Cj0K.x; _fbp=fb.1.1690000000000.77";
    let answer = stack.post_from_page(&view(CLICKED, "marketing"), same).await;
    assert_eq!(cookie(&answer, "_fbc"), "fb.1.1700000000123.IwAR_AbC-9.AQ", "with Meta's own appendix");
    assert_eq!(cookie(&answer, "_gcl_aw"), "GCL.1700000000.Cj0K.x");
    assert_eq!(cookie(&answer, "_fbp"), "fb.1.1690000000000.77", "the browser's own wins");
    let clicks = stack.trace(&answer.event_id(0)).await["event"]["clicks"].clone();
    let fbclid = clicks.as_array().unwrap().iter().find(|click| click["kind"] == "fbclid").unwrap();
    assert_eq!(fbclid["seen_ms"], 1_700_000_000_123_u64);

    let other = "_fbc=fb.1.1700000000123.IwAR_OLD; _gcl_aw=GCL.1700000000.old";
    let answer = stack.post_from_page(&view(CLICKED, "marketing"), other).await;
    let at_ms = stack.trace(&answer.event_id(0)).await["event"]["received_ms"].as_u64().unwrap();
    assert_eq!(cookie(&answer, "_fbc"), format!("fb.1.{at_ms}.IwAR_AbC-9"));

    let answer = stack.post_from_page(&view(LAMPS, "marketing"), other).await;
    assert_eq!(cookie(&answer, "_fbc"), "fb.1.1700000000123.IwAR_OLD", "a page without a click keeps the last one");
}

#[tokio::test]
async fn a_click_that_comes_again_keeps_its_first_time_even_when_its_cookie_is_lost() {
    let stack = collector().await;
    let first = stack.post_from_page(&view(CLICKED, "marketing"), "").await;
    let at_ms = stack.trace(&first.event_id(0)).await["event"]["received_ms"].as_u64().unwrap();
    // A later millisecond: the two times must differ.
    while stack.trace(&first.event_id(0)).await["received_ms"] == SystemClock.now_ms() {}
    let cookies = format!("{VISITOR}={}", cookie(&first, VISITOR));
    let again = stack.post_from_page(&view(CLICKED, "marketing"), &cookies).await;
    assert_eq!(cookie(&again, "_fbc"), format!("fb.1.{at_ms}.IwAR_AbC-9"));
    let event = stack.trace(&again.event_id(0)).await["event"].clone();
    assert!(event["clicks"].as_array().unwrap().iter().all(|click| click["seen_ms"] == at_ms), "{event:#}");
    let stranger = stack.post_from_page(&view(CLICKED, "marketing"), "").await;
    assert_ne!(cookie(&stranger, "_fbc"), format!("fb.1.{at_ms}.IwAR_AbC-9"));
}

#[tokio::test]
async fn two_users_of_one_browser_are_not_taken_for_one() {
    let stack = Stack::with(Settings { destinations: Destinations::None, ..Settings::marketing() }).await;
    let identify = json!({ "userId": "ada", "anonymousId": "browser", "traits": { "email": "ada@example.com" } });
    assert_eq!(stack.post("/v1/identify", &identify).await.status, 200);
    let identifiers = async |id: &str, user: Option<&str>, browser: Option<&str>| {
        let event = json!({ "event": "a", "messageId": id, "userId": user, "anonymousId": browser });
        assert_eq!(stack.post("/v1/track", &event).await.status, 200);
        stack.trace(id).await["event"]["identifiers"].clone()
    };
    let adas = json!({ "email": "ada@example.com" });
    assert_eq!(identifiers("1", Some("ada"), Some("browser")).await, adas);
    assert_eq!(identifiers("2", None, Some("browser")).await, adas, "the browser is known as hers");
    assert_eq!(identifiers("3", Some("ada"), None).await, adas);
    assert_eq!(identifiers("4", Some("bert"), Some("browser")).await, Value::Null, "he is somebody else");
    assert_eq!(identifiers("5", None, Some("browser")).await, Value::Null, "and by now it is his browser");
    let identify = json!({ "userId": "bert", "anonymousId": "browser", "traits": { "email": "bert@example.com" } });
    assert_eq!(stack.post("/v1/identify", &identify).await.status, 200);
    assert_eq!(identifiers("6", Some("bert"), None).await, json!({ "email": "bert@example.com" }));
    assert_ne!(identifiers("7", Some("ada"), None).await, json!({ "email": "bert@example.com" }));
}

#[tokio::test]
async fn a_click_on_a_page_is_found_by_a_backends_purchase_and_reaches_meta_with_its_time() {
    let stack = Stack::with(Settings::marketing()).await;
    let clicked = stack.post_from_page(&view("https://www.shop.example/?FBCLID=IwAR_AbC-9", "marketing"), "").await;
    let (fbc, fbp) = (cookie(&clicked, "_fbc"), cookie(&clicked, "_fbp"));
    let login =
        json!({ "event": "login", "customer_id": "cust_12345", "consent": "marketing", "page": { "url": LAMPS } });
    let cookies = format!("{VISITOR}={}; _fbp={fbp}", cookie(&clicked, VISITOR));
    assert_eq!(stack.post_from_page(&login, &cookies).await.status, 200);

    let properties = json!({ "order_id": "A-1", "value": 149.99, "currency": "EUR" });
    let purchase = json!({
        "event": "purchase", "customer_id": "cust_12345", "message_id": "order-A-1", "properties": properties,
    });
    stack.take(&purchase).await;
    stack.outcome("order-A-1", "meta", "delivered").await;
    let sent = stack.platforms.meta.events().into_iter().find(|event| event["event_id"] == "order-A-1").unwrap();
    assert_eq!((&sent["user_data"]["fbc"], &sent["user_data"]["fbp"]), (&json!(fbc), &json!(fbp)), "{sent:#}");
    assert_eq!(sent["user_data"]["client_ip_address"], "203.0.113.7", "the visitor's, not the backend's");
    assert_eq!(stack.platforms.meta.problems(), Vec::<String>::new());

    stack.outcome("order-A-1", "ga4", "delivered").await;
    let visitor = anonymous_id(&stack, &clicked).await;
    let of_order = |body: &Value| body["events"].to_string().contains("order-A-1");
    let bodies: Vec<_> = stack.platforms.ga4.requests().iter().filter_map(|request| request.json.clone()).collect();
    let sent = bodies.iter().find(|body| of_order(body)).expect("it was delivered");
    assert_eq!(sent["client_id"], visitor, "and GA4 counts it for the browser of the click");
}

#[tokio::test]
async fn a_click_on_one_device_counts_for_what_the_same_person_buys_on_another() {
    let stack = Stack::with(Settings::marketing()).await;
    let phone = stack.post_from_page(&view("https://www.shop.example/?fbclid=IwAR_Phone", "marketing"), "").await;
    let login =
        json!({ "event": "login", "customer_id": "cust_12345", "consent": "marketing", "page": { "url": LAMPS } });
    let on_phone = format!("{VISITOR}={}", cookie(&phone, VISITOR));
    assert_eq!(stack.post_from_page(&login, &on_phone).await.status, 200);
    let desk = stack.post_from_page(&login, "").await;
    assert_ne!(anonymous_id(&stack, &desk).await, anonymous_id(&stack, &phone).await);

    let purchase = json!({ "event": "purchase", "customer_id": "cust_12345", "message_id": "order-P-1" });
    stack.take(&purchase).await;
    let clicks = stack.trace("order-P-1").await["event"]["clicks"].clone();
    assert_eq!((clicks[0]["value"].as_str(), clicks[1].as_str()), (Some("IwAR_Phone"), None), "{clicks}");
}

#[tokio::test]
async fn a_visitor_is_not_given_what_another_one_told() {
    let stack = Stack::with(Settings::marketing()).await;
    let clicked = stack.post_from_page(&view("https://www.shop.example/?fbclid=IwAR_AbC-9", "marketing"), "").await;
    assert_eq!(clicked.status, 200);
    let purchase = json!({ "event": "purchase", "customer_id": "somebody_else", "message_id": "order-B-1" });
    stack.take(&purchase).await;
    let trace = stack.trace("order-B-1").await;
    assert_eq!(trace["event"]["clicks"], Value::Null);
    assert_eq!(trace["event"]["client"], json!({}), "a backend's own address is nobody's");
}

#[tokio::test]
async fn identifiers_of_an_identify_are_remembered_for_a_later_purchase() {
    let stack = Stack::with(Settings::marketing()).await;
    let identify = json!({ "userId": "cust_1", "traits": { "email": "John_Smith@gmail.com", "firstName": "Mary" } });
    assert_eq!(stack.post("/v1/identify", &identify).await.status, 200);
    let properties = json!({ "revenue": 5, "currency": "USD", "order_id": "A-2" });
    let purchase =
        json!({ "userId": "cust_1", "event": "Order Completed", "messageId": "order-A-2", "properties": properties });
    assert_eq!(stack.post("/v1/track", &purchase).await.status, 200);
    stack.outcome("order-A-2", "meta", "delivered").await;
    let sent = stack.platforms.meta.events().into_iter().find(|event| event["event_id"] == "order-A-2").unwrap();
    let em = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
    let mary = "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec";
    assert_eq!((&sent["user_data"]["em"], &sent["user_data"]["fn"]), (&json!([em]), &json!([mary])), "{sent:#}");
}

#[tokio::test]
async fn what_was_told_with_consent_is_not_used_without_it() {
    let stack = Stack::with(Settings::hook()).await;
    let identify = json!({ "userId": "cust_1", "anonymousId": "a1", "traits": { "email": "ada@example.com" } });
    assert_eq!(stack.post("/v1/identify", &identify).await.status, 200);
    let view = json!({ "event": "page_view", "anonymous_id": "a1", "consent": "analytics", "message_id": "later" });
    stack.take(&view).await;
    stack.outcome("later", "hook", "delivered").await;
    let sent = stack.platforms.webhook.events().into_iter().find(|event| event["data"]["id"] == "later").unwrap();
    assert_eq!(sent["data"]["identifiers"], Value::Null, "{sent:#}");
}
