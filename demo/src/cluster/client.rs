//! A client that sends events all the time, at a steady rate: what one gateway does not take is sent to the other, under
//! the same id, until it is acknowledged. An event that is not taken yet holds up no other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::tally::{PREFIX, Tally};
use crate::gateway::API_KEY;

const EVENTS_EVERY: Duration = Duration::from_millis(15);
/// Above so many that are not taken yet, no more are begun.
const UNDER_WAY_MAX: usize = 2_000;
/// Before another gateway is tried. The gateways' `Retry-After` asks for more, which a demo has no time for.
const PAUSE: Duration = Duration::from_millis(250);
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What sends one event.
#[derive(Clone)]
struct Sender {
    client: reqwest::Client,
    gateways: Arc<[SocketAddr]>,
    tally: Arc<Tally>,
}

/// Sends until `stop`; what is not acknowledged by then is given up.
pub(super) async fn send(gateways: Arc<[SocketAddr]>, tally: Arc<Tally>, stop: CancellationToken) {
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build() else { return };
    let sender = Sender { client, gateways, tally };
    let mut under_way = JoinSet::new();
    let mut clock = interval(EVENTS_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0_usize.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        while under_way.try_join_next().is_some() {}
        if under_way.len() < UNDER_WAY_MAX {
            under_way.spawn(sender.clone().insist(number));
        }
        sender.tally.under_way(under_way.len());
    }
}

impl Sender {
    async fn insist(self, number: usize) {
        let id = format!("{PREFIX}{number}");
        let event = json!({
            "event": "purchase_completed", "message_id": id, "anonymous_id": format!("visitor-{}", number % 1_000),
            "consent": "marketing", "properties": { "order_value": 149.99, "currency": "EUR" },
        })
        .to_string();
        for turn in number.. {
            let address = self.gateways[turn % self.gateways.len()];
            let request = self.client.post(format!("http://{address}/v1/events")).bearer_auth(API_KEY);
            let refusal = match request.body(event.clone()).send().await {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => format!("{address} answers {}", answer.status().as_u16()),
                Err(error) if error.is_connect() => format!("{address} is away"),
                Err(_) => format!("{address} gives no answer"),
            };
            self.tally.refused(refusal);
            sleep(PAUSE).await;
        }
        self.tally.acknowledged(id);
    }
}
