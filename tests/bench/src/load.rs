//! The load: purchases by known customers, one a request, over a number of connections that are kept open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tidegate_tests::API_KEY;
use tokio::task::JoinSet;

/// Connections that send at the same time.
pub(crate) const CONNECTIONS: u64 = 64;
/// How often an event is sent that is answered with 503, and after which pause.
const TRIES_MAX: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Answers with 503 so far. Where there are any, a store stood still, and what was measured then is worth little.
pub(crate) static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Sends events `from..to`, to each of the gateways from as many connections; each must be answered with 200.
pub(crate) async fn send(gateways: &[SocketAddr], from: u64, to: u64) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(from));
    let mut senders = JoinSet::new();
    for (_, address) in (0..CONNECTIONS).zip(gateways.iter().copied().cycle()) {
        senders.spawn(sender(address, Arc::clone(&next), to));
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(())
}

async fn sender(address: SocketAddr, next: Arc<AtomicU64>, to: u64) -> anyhow::Result<()> {
    let mut client = Client::connect(address).await?;
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= to {
            return Ok(());
        }
        client.post(n).await?;
    }
}

/// One connection.
pub(crate) struct Client {
    requests: http1::SendRequest<Full<Bytes>>,
    _driving: JoinSet<hyper::Result<()>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driving = JoinSet::new();
        driving.spawn(connection);
        Ok(Client { requests, _driving: driving })
    }

    /// Posts the purchase of this number, which must be taken.
    pub(crate) async fn post(&mut self, n: u64) -> anyhow::Result<()> {
        self.post_body(n, purchase(n)).await
    }

    /// Posts a body until it is taken. 503 is an answer too: the machine's disk may have stood still for a while, and the
    /// event's id makes the next try safe.
    pub(crate) async fn post_body(&mut self, n: u64, body: String) -> anyhow::Result<()> {
        let body = Bytes::from(body);
        for _ in 0..TRIES_MAX {
            let request = Request::post("/v1/events")
                .header("host", "track.shop.example")
                .header("authorization", format!("Bearer {API_KEY}"))
                .body(Full::new(body.clone()))?;
            self.requests.ready().await?;
            let response = self.requests.send_request(request).await.context("the gateway answers")?;
            let status = response.status();
            let answer = response.into_body().collect().await?.to_bytes();
            if status == 200 {
                return Ok(());
            }
            anyhow::ensure!(status == 503, "event {n}: {status} {}", String::from_utf8_lossy(&answer));
            REFUSED.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("event {n}: 503, {TRIES_MAX} times")
    }
}

/// The id of the event of this number.
pub(crate) fn event_id(n: u64) -> String {
    format!("bench-{n:010}")
}

/// The number of the event of this id.
pub(crate) fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix("bench-")?.parse().ok()
}

/// A full purchase: eight identifiers, three items, a click, a page and a client. Every fourth event is of a customer
/// who was never there before; the others come from a thousand who were.
fn purchase(n: u64) -> String {
    let customer = if n.is_multiple_of(4) { n } else { n % 1_000 };
    json!({
        "event": "purchase_completed",
        "message_id": event_id(n),
        "customer_id": format!("customer-{customer}"),
        "anonymous_id": format!("browser-{customer}"),
        "consent": "marketing",
        "user": {
            "email": format!("customer.{customer}@example.com"), "phone": "+43 660 1234567",
            "first_name": "Mary", "last_name": "Smith",
            "address": { "city": "Menlo Park", "state": "CA", "postal_code": "94025", "country": "US" }
        },
        "page": { "url": format!("https://www.shop.example/thanks?order={n}&fbclid=IwAR2F4-dbP0l7Mn1{customer}"), "title": "Thank you" },
        "client": { "ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0" },
        "properties": {
            "order_id": format!("order-{n}"), "value": 149.99, "currency": "EUR", "coupon": "WINTER",
            "items": [
                { "product_id": "SKU-1001", "name": "Trail Shoe", "quantity": 1, "price": 89.9, "brand": "Acme" },
                { "product_id": "SKU-2002", "name": "Running Socks", "quantity": 2, "price": 12.5, "brand": "Acme" },
                { "product_id": "SKU-3003", "name": "Cap", "quantity": 1, "price": 35.09, "brand": "Acme" }
            ]
        }
    })
    .to_string()
}
