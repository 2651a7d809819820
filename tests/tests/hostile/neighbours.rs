//! Whoever uses up everything that a plugin may have takes it from its own destination, and from no other's events.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tidegate_tests::{API_KEY, Settings, Stack};

use super::catalogue::{Case, all};
use super::{event, site};

const EVENTS: u64 = 60;
/// Each uses its whole budget of time, memory or output for every event, or fails as soon as it can.
const HOSTILE: [&str; 5] = ["loop", "loop-bulk", "memory", "bodies-shared", "crash"];

fn hostile() -> Vec<&'static Case> {
    all().filter(|case| HOSTILE.contains(&case.name)).collect()
}

/// The good one gets every event, and each of the others has every one of its own accounted for.
#[tokio::test]
async fn a_good_destination_gets_every_event_beside_hostile_ones() {
    let stack = Stack::with(site(hostile())).await;
    for number in 0..EVENTS {
        stack.take(&event(&format!("e{number}"))).await;
    }
    let good = stack.status_until("hook", |status| status["delivered"] == EVENTS && status["waiting"] == 0).await;
    assert_eq!(good["dead"], 0, "{good}");
    assert_eq!(stack.platforms.webhook.requests_count(), EVENTS);
    for name in HOSTILE {
        let status = stack.status_until(name, |status| status["dead"] == EVENTS).await;
        assert_eq!(status["delivered"], 0, "{name}: {status}");
    }
}

/// Two sites on one gateway: the one whose plugins use up their time is slow by itself. The other's events are counted
/// while both are sent as fast as they are answered.
#[tokio::test]
async fn another_sites_events_do_not_wait_for_a_plugin_that_uses_up_its_time() {
    const QUIET_KEY: &str = "secret-api-key-of-the-quiet-one";
    let mut settings = site(hostile());
    settings.more.push_str(&format!(
        "\n[[site]]\nname = \"quiet\"\nhosts = [\"quiet.example\"]\napi_keys = [\"{QUIET_KEY}\"]\n\
         consent = {{ default = \"marketing\" }}\n\
         [[destination]]\nname = \"calm\"\nsite = \"quiet\"\nplugin = \"webhook\"\n\
         config = {{ url = \"$WEBHOOK/calm\" }}\nsecrets = {{ signing_secret = \"env:WEBHOOK_SECRET\" }}\n\
         allow_insecure = true\n"
    ));
    let stack = Stack::with(Settings { limits: "in_flight_max = 64\n".into(), ..settings }).await;
    let (done, loud) = (AtomicBool::new(false), AtomicU64::new(0));
    let send = async |key: &str, id: String| {
        let request = stack.request(reqwest::Method::POST, "/v1/events").bearer_auth(key).json(&event(&id));
        let answer = stack.send(request).await.unwrap();
        assert_eq!(answer.status, 200, "{id}");
    };
    let noise = async |lane: usize| {
        while !done.load(Ordering::Relaxed) {
            let number = loud.fetch_add(1, Ordering::Relaxed);
            send(API_KEY, format!("loud-{lane}-{number}")).await;
        }
    };
    let quiet = async {
        for number in 0..10 * EVENTS {
            send(QUIET_KEY, format!("quiet-{number}")).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(quiet, noise(0), noise(1));
    let loud = loud.load(Ordering::Relaxed);
    eprintln!("{loud} loud events while the quiet site had {}", 10 * EVENTS);
    // Each loud event costs two plugins 20 ms each, which only the loud site's events wait for.
    assert!(2 * loud < 10 * EVENTS, "{loud} loud events while the quiet site had {}", 10 * EVENTS);
    stack.status_until("calm", |status| status["delivered"] == 10 * EVENTS).await;
    stack.status_until("loop", |status| status["dead"] == loud).await;
}
