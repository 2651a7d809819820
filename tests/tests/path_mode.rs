//! Path mode: the gateway as a folder of the shop, behind a real nginx with the very lines of the guide.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, SocketAddr};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_test_tls::{Authority, Nginx};
use tidegate_tests::{Destinations, HOOK, PATIENCE, Settings, Stack, WRITE_KEY};

const GUIDE: &str = include_str!("../../docs/guides/browser.md");
const HOST: &str = "shop.example";
/// Where the visitor is, as nginx sees it: no trusted proxy's address.
const VISITOR: &str = "127.0.0.2";

/// Who may see a shop that is not public yet.
const LOGIN: (&str, &str) = ("staging", "a-pass-word");

/// A shop with a gateway in its folder `/t/`.
struct Shop {
    stack: Stack,
    address: SocketAddr,
    visitor: Client,
    _nginx: Nginx,
    _dir: TempDir,
}

impl Shop {
    async fn open() -> Shop {
        Shop::with("").await
    }

    /// One whose nginx has these lines, too.
    async fn with(lines: &str) -> Shop {
        let more = format!("redirect_hosts = [\"{HOST}\"]\n{HOOK}");
        let settings = Settings { destinations: Destinations::None, hosts: vec![HOST], more, ..Settings::default() };
        let stack = Stack::with(settings).await;
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.issue(&[HOST]).write(dir.path(), "shop");
        std::fs::write(dir.path().join("htpasswd"), format!("{}:{{PLAIN}}{}\n", LOGIN.0, LOGIN.1)).unwrap();
        let lines = lines.replace("$DIR", dir.path().to_str().unwrap());
        let nginx = Nginx::start(dir.path(), "shop", &format!("{lines}\n{}", server(stack.http)));
        let address = nginx.address;
        let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
        let builder = builder.tls_certs_only([Certificate::from_pem(authority.pem.as_bytes()).unwrap()]);
        let builder = builder.resolve(HOST, address).local_address(VISITOR.parse::<IpAddr>().unwrap());
        Shop { stack, address, visitor: builder.build().unwrap(), _nginx: nginx, _dir: dir }
    }

    fn origin(&self) -> String {
        format!("https://{HOST}:{}", self.address.port())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    async fn send(&self, event: &Value) -> Response {
        self.request(event).send().await.unwrap()
    }

    fn request(&self, event: &Value) -> RequestBuilder {
        let body = json!({ "write_key": WRITE_KEY, "events": [event] }).to_string();
        // What a visitor says of its own address is not believed.
        let request = self.visitor.post(self.url("/t/v1/events")).header("x-forwarded-for", "6.6.6.6");
        request.header("origin", self.origin()).header("user-agent", "Mozilla/5.0").body(body)
    }
}

/// The shop, and the lines of the guide that lead to the gateway.
fn server(gateway: SocketAddr) -> String {
    let (_, rest) = GUIDE.split_once("```nginx\n").unwrap();
    let (location, _) = rest.split_once("```").unwrap();
    assert!(location.contains("http://127.0.0.1:8080/"), "{location}");
    let location = location.replace("127.0.0.1:8080", &gateway.to_string());
    format!("server_name {HOST};\nlocation / {{ return 200 'the shop'; }}\n{location}")
}

#[tokio::test]
async fn behind_the_shops_nginx_the_gateway_is_a_folder_of_the_shop() {
    let shop = Shop::open().await;
    let get = async |path: &str| shop.visitor.get(shop.url(path)).send().await.unwrap();
    assert_eq!(get("/").await.text().await.unwrap(), "the shop");
    let script = get("/t/t.js").await;
    assert_eq!(script.status(), 200);
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");

    let page = json!({ "url": shop.url("/lamps?gclid=Cj0K") });
    let view = json!({ "event": "page_view", "message_id": "v1", "consent": "marketing", "page": page });
    let answer = shop.send(&view).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], shop.origin().as_str());
    let cookies: Vec<&str> = answer.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    for name in ["__Secure-tg_vid", "_gcl_aw", "_fbp"] {
        let line = cookies.iter().find(|line| line.starts_with(&format!("{name}="))).unwrap();
        assert!(line.contains("Domain=shop.example") && line.contains("; Secure"), "{line}");
    }
    let client = &shop.stack.trace("v1").await["event"]["client"];
    assert_eq!(client["ip"], json!(VISITOR), "the visitor's address, not nginx's, and not what the visitor says");

    let to = get("/t/r?to=https%3A%2F%2Fshop.example%2Flamps%3Fgclid%3DCj0L").await;
    assert_eq!(
        (to.status().as_u16(), &to.headers()["location"]),
        (302, &"https://shop.example/lamps?gclid=Cj0L".parse().unwrap())
    );
    let pixel = get(&format!("/t/p.gif?write_key={WRITE_KEY}&customer_id=c1&id=p1")).await;
    assert_eq!((pixel.status().as_u16(), &pixel.headers()["content-type"]), (200, &"image/gif".parse().unwrap()));
}

#[tokio::test]
async fn a_page_of_another_host_may_not_send_though_the_proxy_is_trusted() {
    let shop = Shop::open().await;
    let body = json!({ "write_key": WRITE_KEY, "events": [{ "event": "page_view" }] }).to_string();
    for origin in ["https://evil.example", "https://shop.example", "null"] {
        let request = shop.visitor.post(shop.url("/t/v1/events")).header("origin", origin).body(body.clone());
        let answer = request.send().await.unwrap();
        // The shop on another port is another origin.
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
}

#[tokio::test]
async fn behind_a_staging_shops_login_events_are_taken_all_the_same() {
    let shop = Shop::with("auth_basic staging;\nauth_basic_user_file $DIR/htpasswd;").await;
    let view = json!({ "event": "page_view", "message_id": "v1" });
    assert!(shop.send(&view).await.text().await.unwrap().contains("nginx"), "without the login nginx refuses it");
    // nginx passes the login on, where clients put keys.
    let answer = shop.request(&view).basic_auth(LOGIN.0, Some(LOGIN.1)).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let pixel = shop.visitor.get(shop.url(&format!("/t/p.gif?write_key={WRITE_KEY}&customer_id=c1")));
    assert_eq!(pixel.basic_auth(LOGIN.0, Some(LOGIN.1)).send().await.unwrap().status(), 200);
}
