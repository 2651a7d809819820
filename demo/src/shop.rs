//! The shop's site and the page of what the platforms got: static files and bits of JSON. Holds no secret
//! but the dashboard's token, which the demo prints as well.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::platforms::{Mood, Platforms};

/// Where the shop's pages find the rest.
pub(crate) struct Addresses {
    pub(crate) gateway: String,
    pub(crate) dashboard: String,
    /// The dashboard's token, so that a link opens it. A real shop's page never knows it.
    pub(crate) token: &'static str,
    pub(crate) write_key: &'static str,
}

struct Site {
    addresses: Addresses,
    platforms: Arc<Platforms>,
}

/// Loopback addresses are called `localhost`, so that the shop and the gateway are one site to a browser.
pub(crate) fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip == Ipv4Addr::LOCALHOST => format!("http://localhost:{}/", address.port()),
        _ => format!("http://{address}/"),
    }
}

pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address} for the shop\nhint: choose another address with --shop"))
}

/// Serves until the shutdown is asked for.
pub(crate) async fn serve(
    listener: TcpListener,
    addresses: Addresses,
    platforms: Arc<Platforms>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let site = Arc::new(Site { addresses, platforms });
    let page = get(|state: State<Arc<Site>>| shop_page(state));
    let routes = Router::new()
        .route("/", page.clone())
        .route("/cart", page.clone())
        .route("/checkout", page.clone())
        .route("/thanks", page.clone())
        .route("/p/{product}", page)
        .route("/shop.css", get(|| file("text/css", include_str!("../assets/shop.css"))))
        .route("/shop.js", get(|| file("text/javascript", include_str!("../assets/shop.js"))))
        .route("/platforms", get(platforms_page))
        .route("/platforms.css", get(|| file("text/css", include_str!("../assets/platforms.css"))))
        .route("/platforms.js", get(|| file("text/javascript", include_str!("../assets/platforms.js"))))
        .route("/platforms.json", get(overview))
        .route("/requests.json", get(requests))
        .route("/platforms/{name}/mood", post(mood))
        .with_state(site);
    axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await.context("serve the shop")
}

/// The page with the tag, as `tidegate snippet` prints its second line, but that it waits for consent; and with what the
/// shop's script needs to know.
async fn shop_page(State(site): State<Arc<Site>>) -> Response {
    let Addresses { gateway, dashboard, token, write_key } = &site.addresses;
    let policy = format!(
        "default-src 'none'; script-src 'self' {gateway}; style-src 'self'; img-src data:; connect-src {gateway}; \
         base-uri 'none'; form-action 'self'"
    );
    let settings =
        json!({ "gateway": gateway, "dashboard": dashboard, "token": token, "platforms": "/platforms" }).to_string();
    let html = include_str!("../assets/shop.html")
        .replace("{settings}", &settings)
        .replace("{gateway}", gateway)
        .replace("{write_key}", write_key);
    page(html, policy)
}

async fn platforms_page() -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'";
    page(include_str!("../assets/platforms.html").to_owned(), policy.to_owned())
}

fn page(html: String, policy: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, html).into_response()
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8")), (header::CACHE_CONTROL, "no-store".to_owned())];
    (headers, text).into_response()
}

async fn overview(State(site): State<Arc<Site>>) -> Json<Value> {
    Json(site.platforms.overview())
}

#[derive(Deserialize)]
struct Wanted {
    /// The platform's plugin; all platforms where there is none.
    plugin: Option<String>,
}

async fn requests(State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Result<Json<Value>, StatusCode> {
    site.platforms.requests(wanted.plugin.as_deref()).map(Json).ok_or(StatusCode::NOT_FOUND)
}

/// Takes JSON only, which a page of another origin cannot send without asking first.
async fn mood(State(site): State<Arc<Site>>, Path(name): Path<String>, Json(mood): Json<Mood>) -> StatusCode {
    match site.platforms.behave(&name, mood) {
        Some(()) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}
