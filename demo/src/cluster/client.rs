//! Clients that send events all the time: what one gateway does not take is sent to the other, under the same id, until
//! it is acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::tally::{PREFIX, Tally};
use crate::gateway::API_KEY;

const CLIENTS: usize = 4;
/// Between an answer and the next event, and before another gateway is tried.
const PAUSE: Duration = Duration::from_millis(50);
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Starts them; they end with `stop`.
pub(super) fn start(
    tracker: &TaskTracker,
    gateways: &[SocketAddr],
    tally: &Arc<Tally>,
    stop: &CancellationToken,
) {
    for number in 0..CLIENTS {
        let sender = Sender { number, gateways: gateways.to_vec(), tally: tally.clone() };
        tracker.spawn(stop.clone().run_until_cancelled_owned(sender.send()));
    }
}

struct Sender {
    number: usize,
    gateways: Vec<SocketAddr>,
    tally: Arc<Tally>,
}

impl Sender {
    async fn send(self) {
        let Ok(client) = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build() else { return };
        let mut gateway = self.number;
        for sequence in 0_u64.. {
            let id = format!("{PREFIX}{}-{sequence}", self.number);
            let event = json!({
                "event": "purchase_completed", "message_id": id, "customer_id": format!("customer-{}", sequence % 1000),
                "consent": "marketing", "properties": { "order_value": 149.99, "currency": "EUR" },
            })
            .to_string();
            loop {
                let address = self.gateways[gateway % self.gateways.len()];
                let request = client.post(format!("http://{address}/v1/events")).bearer_auth(API_KEY);
                let refusal = match request.body(event.clone()).send().await {
                    Ok(answer) if answer.status().is_success() => break,
                    Ok(answer) => format!("{address} answers {}", answer.status()),
                    Err(error) if error.is_timeout() => format!("{address} does not answer"),
                    Err(_) => format!("{address} is away"),
                };
                self.tally.refused(refusal);
                gateway += 1;
                sleep(PAUSE).await;
            }
            self.tally.acknowledged(id);
            sleep(PAUSE).await;
        }
    }
}
