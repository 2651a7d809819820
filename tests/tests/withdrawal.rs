//! Withdrawal: what waited for a platform when its visitor withdrew consent is not sent any more, and what was known of
//! the visitor is forgotten; on both stores, with the real program.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::clock::{Clock as _, SystemClock};
use tidegate_fakes::{Behaviour, Gate};
use tidegate_test_redis::Server;
use tidegate_tests::{Answer, Client, HOOK, PATIENCE, Platforms, Process, Settings, WRITE_KEY};

/// What arrived less long ago is on its way.
const MOMENT_MS: u64 = 1_000;
const GA: &str = "_ga=GA1.1.1098115397.1768000000";

/// A gateway's process with Meta, GA4 and a webhook.
struct Site {
    client: Client,
    platforms: Platforms,
    _process: Process,
    _dir: TempDir,
}

impl Site {
    /// On a Redis, or on a file.
    async fn start(redis: Option<&Server>, settings: &Settings) -> Site {
        let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
        let store = redis.map_or_else(|| "sqlite:tidegate.db".to_owned(), Server::url);
        let process = Process::start(&Process::configure_on(&store, settings, &platforms, dir.path())).await;
        Site { client: process.client.clone(), platforms, _process: process, _dir: dir }
    }

    /// Turns a destination's switch, and waits until that holds.
    async fn turn(&self, destination: &str, word: &str, position: &str) {
        let answer = self.client.admin_post(&format!("/api/destinations/{destination}/{word}"), &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.client.status_until(destination, |status| status["switch"]["position"] == position).await;
    }

    /// A page's visitor, who has consented to everything and bought something.
    async fn visitor(&self, purchase: &Value) -> String {
        let answer = self.client.post_from_page(purchase, GA).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        jar(&answer)
    }

    async fn says(&self, cookies: &str, id: &str, consent: &str) {
        let event = json!({ "event": "consent_updated", "message_id": id, "consent": consent });
        let answer = self.client.post_from_page(&event, cookies).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Waits until an event arrived so long ago that it is on its way no more.
    async fn until_old(&self, id: &str) {
        moment_after(self.client.trace(id).await["received_ms"].as_u64().unwrap()).await;
    }

    /// What a destination is told to have cancelled of an event, and why.
    async fn cancelled(&self, id: &str, destination: &str) -> String {
        let part = self.client.outcome(id, destination, "cancelled").await;
        for delivery in part["deliveries"].as_array().unwrap() {
            assert_eq!((&delivery["saw"], &delivery["request"]), (&Value::Null, &Value::Null), "nothing is kept of it");
            let last = delivery["attempts"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(last["verdict"], json!(format!("not sent: {}", part["reason"].as_str().unwrap())));
        }
        part["reason"].as_str().unwrap().to_owned()
    }

    /// Waits until the ledger has so many events that have left for a destination; it must never have more.
    async fn left(&self, destination: &str, count: u64) {
        let path = format!("/api/ledger?destination={destination}");
        let search = async {
            loop {
                let left = self.client.admin(&path).await.json;
                let flows = left["flows"].as_array().unwrap();
                let events: u64 = flows.iter().filter_map(|flow| flow["events"].as_u64()).sum();
                assert!(events <= count, "{left:#}");
                if events == count {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, search).await.is_ok(), "{count} events have left for `{destination}`");
    }
}

/// Waits until a moment after a time: there is no event to wait for, only the clock.
async fn moment_after(ms: u64) {
    while SystemClock.now_ms() <= ms + MOMENT_MS + 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A platform that is down is tried again soon, and for as long as a test takes.
fn patient() -> Settings {
    let delivery = "timeout_ms = 20000\nbackoff_base_ms = 40\nbackoff_max_ms = 300\nattempts_max = 1000\n".into();
    Settings { delivery, ..Settings::default() }
}

/// A `Cookie` line of all that an answer sets.
fn jar(answer: &Answer) -> String {
    let pairs: Vec<String> = answer.cookies().iter().map(|(name, value, _)| format!("{name}={value}")).collect();
    format!("{}; {GA}", pairs.join("; "))
}

/// A purchase in the shop, by somebody who has not said who.
fn purchase(id: &str) -> Value {
    json!({
        "event": "purchase", "message_id": id, "consent": "marketing", "page": { "url": "https://www.shop.example/cart" },
        "properties": { "order_id": id, "value": 12.5, "currency": "EUR" },
    })
}

/// The same by a customer who has.
fn purchase_of(id: &str, customer: &str) -> Value {
    let mut event = purchase(id);
    event["customer_id"] = json!(customer);
    event["user"] = json!({ "email": "ada@example.com" });
    event
}

/// An event of a backend, which has consent, or takes it back.
fn of_backend(id: &str, customer: &str, consent: &str) -> Value {
    json!({ "event": "invoice_paid", "message_id": id, "customer_id": customer, "consent": consent })
}

async fn what_waits_is_cancelled(redis: Option<&Server>) {
    let site = Site::start(redis, &patient()).await;
    let client = &site.client;
    let down = || Behaviour::status(503);
    site.platforms.meta.always(down());
    site.platforms.ga4.always(down());
    site.turn("hook", "pause", "paused").await;
    let cookies = site.visitor(&purchase("plain")).await;
    assert_eq!(client.post_from_page(&purchase_of("known", "cust_1"), &cookies).await.status, 200);
    site.visitor(&purchase("another's")).await;
    client.take(&of_backend("before", "cust_1", "marketing")).await;
    let event = &client.trace("before").await["event"];
    assert_eq!(event["identifiers"]["email"], "ada@example.com", "what the browser told is joined: {event:#}");
    for id in ["plain", "known", "another's"] {
        site.until_old(id).await;
    }

    site.says(&cookies, "withdrawn", "analytics").await;
    // Forgotten: a backend's next event of the same customer is joined with nothing.
    client.take(&of_backend("after", "cust_1", "marketing")).await;
    let event = &client.trace("after").await["event"];
    for field in ["identifiers", "clicks", "cookies", "client", "anonymous_id"] {
        let value = &event[field];
        let is_empty = value.is_null() || value == &json!({}) || value == &json!([]);
        assert!(is_empty, "{field}: {event:#}");
    }
    site.platforms.meta.behave();
    site.platforms.ga4.behave();
    site.turn("hook", "on", "on").await;

    let reason = site.cancelled("plain", "meta").await;
    assert!(reason.starts_with("the visitor withdrew consent at 20"), "{reason}");
    assert!(reason.ends_with("Z: consent `analytics` does not grant ad-user-data, ad-storage"), "{reason}");
    site.cancelled("known", "meta").await;
    let reason = site.cancelled("known", "ga4").await;
    assert!(reason.ends_with("consent `analytics` does not cover identifiers, which it carries"), "{reason}");
    let reason = site.cancelled("plain", "hook").await;
    assert!(reason.ends_with("consent `analytics` does not cover the IP address, which it carries"), "{reason}");
    site.cancelled("known", "hook").await;
    // The backend's own event before was joined with this browser, and is the visitor's as well.
    site.cancelled("before", "meta").await;
    // What analytics covers is sent, and so is what others have consented to.
    client.outcome("plain", "ga4", "delivered").await;
    for destination in ["meta", "ga4", "hook"] {
        client.outcome("another's", destination, "delivered").await;
    }
    client.outcome("after", "hook", "delivered").await;
    let taken: Vec<Value> =
        [&site.platforms.meta, &site.platforms.webhook].iter().flat_map(|one| one.events()).collect();
    for id in ["plain", "known", "before"] {
        assert!(!taken.iter().any(|event| event.to_string().contains(&format!("\"{id}\""))), "{id} came: {taken:#?}");
    }
    let status = client.status_until("hook", |status| status["waiting"] == 0).await;
    assert_eq!((&status["cancelled"], &status["dead"]), (&json!(3), &json!(0)));
    site.left("hook", 2).await;
    assert_eq!(client.dead_letters("meta").await, Vec::<Value>::new());
    let metrics = client.admin("/metrics").await.text;
    let line = "tidegate_attempts_total{destination=\"hook\",outcome=\"cancelled\"} 3";
    assert!(metrics.contains(line), "{metrics}");

    // Consent that is given again is for what comes then.
    assert_eq!(client.post_from_page(&purchase("again"), &cookies).await.status, 200);
    for destination in ["meta", "ga4", "hook"] {
        client.outcome("again", destination, "delivered").await;
    }
    site.cancelled("plain", "meta").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_when_consent_is_withdrawn_is_cancelled_and_the_profile_forgotten() {
    what_waits_is_cancelled(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_over_a_redis() {
    what_waits_is_cancelled(Some(&Server::with(&["appendfsync always"]))).await;
}

async fn replayed_letters_are_cancelled(redis: Option<&Server>) {
    let site = Site::start(redis, &Settings::default()).await;
    let client = &site.client;
    site.platforms.meta.always(Behaviour::status(400));
    let cookies = site.visitor(&purchase("as it was")).await;
    assert_eq!(client.post_from_page(&purchase("mended"), &cookies).await.status, 200);
    site.visitor(&purchase("another's")).await;
    for id in ["as it was", "mended", "another's"] {
        client.outcome(id, "meta", "dead").await;
        site.until_old(id).await;
    }
    site.platforms.meta.behave();
    site.says(&cookies, "withdrawn", "none").await;
    for (id, fresh) in [("as it was", false), ("mended", true)] {
        let letters = client.dead_letters("meta").await;
        let letter = letters.iter().find(|letter| letter["event_id"] == id).unwrap();
        let wanted = json!({ "ids": [letter["id"]], "fresh": fresh });
        let answer = client.admin_post("/api/dead-letters/replay", &wanted).await;
        assert_eq!(answer.json["replayed"], 1, "{}", answer.text);
        let reason = site.cancelled(id, "meta").await;
        assert!(reason.contains("consent `none` does not grant"), "{reason}");
        let again = client.admin_post("/api/dead-letters/replay", &wanted).await;
        assert_eq!(again.json["replayed"], 0, "what is cancelled cannot be replayed: {}", again.text);
    }
    let answer = client.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(answer.json["replayed"], 1, "{}", answer.text);
    client.outcome("another's", "meta", "delivered").await;
    assert_eq!(site.platforms.meta.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_is_replayed_after_a_withdrawal_is_cancelled() {
    replayed_letters_are_cancelled(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_of_a_redis_is_as_well() {
    replayed_letters_are_cancelled(Some(&Server::with(&["appendfsync always"]))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_given_again_before_anybody_looked_brings_nothing_back() {
    let site = Site::start(None, &Settings::default()).await;
    site.turn("hook", "pause", "paused").await;
    let cookies = site.visitor(&purchase("first")).await;
    site.until_old("first").await;
    site.says(&cookies, "withdrawn", "analytics").await;
    site.says(&cookies, "given", "marketing").await;
    assert_eq!(site.client.post_from_page(&purchase("second"), &cookies).await.status, 200);
    site.turn("hook", "on", "on").await;
    site.client.outcome("second", "hook", "delivered").await;
    site.cancelled("first", "hook").await;
    // A second withdrawal is one of its own.
    site.turn("hook", "pause", "paused").await;
    assert_eq!(site.client.post_from_page(&purchase("third"), &cookies).await.status, 200);
    site.until_old("third").await;
    site.says(&cookies, "withdrawn again", "analytics").await;
    site.turn("hook", "on", "on").await;
    site.cancelled("third", "hook").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_counts_by_an_id_of_its_own_withdraws_what_it_sent_by_it() {
    let site = Site::start(None, &Settings::hook()).await;
    site.turn("hook", "pause", "paused").await;
    let of_segment = |id: &str, consent: &str| json!({ "event": "purchase", "message_id": id, "anonymous_id": "segments-own", "consent": consent });
    let cookies = site.visitor(&of_segment("first", "analytics")).await;
    site.until_old("first").await;
    let none = site.client.post_from_page(&of_segment("none", "none"), &cookies).await;
    assert_eq!(none.status, 200, "{}", none.text);
    site.turn("hook", "on", "on").await;
    site.cancelled("first", "hook").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_holds_for_what_came_before_it_in_a_request_and_not_for_what_came_after() {
    let site = Site::start(None, &Settings::hook()).await;
    site.turn("hook", "pause", "paused").await;
    let events = [("before", "marketing"), ("withdrawn", "none"), ("after", "marketing")];
    let events: Vec<Value> = events.iter().map(|(id, consent)| of_backend(id, "cust_1", consent)).collect();
    site.client.take(&json!({ "events": events })).await;
    site.until_old("after").await;
    site.turn("hook", "on", "on").await;
    site.cancelled("before", "hook").await;
    site.client.outcome("after", "hook", "delivered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_behind_a_slow_request_is_asked_about_before_it_leaves() {
    let more = HOOK.replace("allow_insecure = true", "allow_insecure = true\nconcurrency = 1");
    let site = Site::start(None, &Settings { more, delivery: patient().delivery, ..Settings::hook() }).await;
    let hook = &site.platforms.webhook;
    // Three wait and are leased together: the first is under way when the second is withdrawn.
    site.turn("hook", "pause", "paused").await;
    site.client.take(&of_backend("slow", "cust_1", "marketing")).await;
    let cookies = site.visitor(&purchase("withdrawn")).await;
    site.client.take(&of_backend("last", "cust_2", "marketing")).await;
    let gate = Gate::shut();
    hook.next([Behaviour::held(&gate)]);
    site.turn("hook", "on", "on").await;
    hook.wait_for(1).await.unwrap();
    moment_after(SystemClock.now_ms()).await;
    site.says(&cookies, "w", "none").await;
    gate.open();
    site.client.outcome("slow", "hook", "delivered").await;
    site.cancelled("withdrawn", "hook").await;
    site.client.outcome("last", "hook", "delivered").await;
    assert_eq!(hook.requests_count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_behind_a_slow_request_leaves_where_a_withdrawal_covers_it_still() {
    let delivery = format!("{}concurrency = 1\n", patient().delivery);
    let site = Site::start(None, &Settings { delivery, ..Settings::default() }).await;
    let ga4 = &site.platforms.ga4;
    site.turn("ga4", "pause", "paused").await;
    // Of another browser at Google, so that it is a request of its own.
    let slow = site.client.post_from_page(&purchase("slow"), "_ga=GA1.1.77.1768000000").await;
    assert_eq!(slow.status, 200, "{}", slow.text);
    let cookies = site.visitor(&purchase("plain")).await;
    let gate = Gate::shut();
    ga4.next([Behaviour::held(&gate)]);
    site.turn("ga4", "on", "on").await;
    ga4.wait_for(1).await.unwrap();
    moment_after(SystemClock.now_ms()).await;
    // It is leased already, and judged anew: what it carries is within analytics.
    site.says(&cookies, "w", "analytics").await;
    gate.open();
    for id in ["slow", "plain"] {
        site.client.outcome(id, "ga4", "delivered").await;
    }
    assert_eq!(ga4.requests_count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_speak_for_somebody_withdraws_for_them() {
    let site = Site::start(None, &Settings { consent_default: "none", ..Settings::hook() }).await;
    let client = &site.client;
    site.turn("hook", "pause", "paused").await;
    for customer in ["cust_1", "cust_2"] {
        client.take(&of_backend(customer, customer, "marketing")).await;
    }
    let cookies = site.visitor(&purchase("visitor's")).await;
    for id in ["cust_1", "cust_2", "visitor's"] {
        site.until_old(id).await;
    }
    // The write key is in every page: whoever names a customer with it takes nothing of theirs back, from a page or not.
    client.post_from_page(&of_backend("page", "cust_1", "none"), "").await;
    let request = client.request(reqwest::Method::POST, "/v1/events").header("x-write-key", WRITE_KEY);
    let answer = client.send(request.body(of_backend("script", "cust_1", "none").to_string())).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    // A forged cookie is nobody's, and an event that says nothing takes nothing back.
    let forged = cookies.replacen(".k1.", ".k2.", 1);
    assert_ne!(forged, cookies.as_str());
    let cookie = cookies.split("; ").find(|pair| pair.contains("tg_vid")).unwrap();
    site.says(&forged.replace("tg_consent=", "old="), "forged", "none").await;
    client.post_from_page(&json!({ "event": "a", "message_id": "silent" }), cookie).await;
    // A backend speaks for its customers.
    client.take(&of_backend("backend", "cust_2", "none")).await;
    site.turn("hook", "on", "on").await;
    for id in ["cust_1", "visitor's"] {
        client.outcome(id, "hook", "delivered").await;
    }
    site.cancelled("cust_2", "hook").await;
}
