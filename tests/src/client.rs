//! A plain HTTP client for tests, of the public and of the admin listener.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::config::{ADMIN_TOKEN, API_KEY, ORIGIN, WRITE_KEY};

/// A gateway as its clients and its operators reach it.
#[derive(Debug, Clone)]
pub struct Client {
    pub http: SocketAddr,
    pub admin: SocketAddr,
    plain: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// Null where the body is no JSON.
    pub json: Value,
    pub text: String,
}

impl Answer {
    /// The cookies that it sets: name, value, and the whole line.
    pub fn cookies(&self) -> Vec<(String, String, String)> {
        let lines = self.headers.get_all("set-cookie").iter().map(|v| v.to_str().expect("ASCII").to_owned());
        lines
            .map(|line| {
                let (name, rest) = line.split_once('=').expect("name=value");
                let value = rest.split(';').next().unwrap_or(rest);
                (name.to_owned(), value.to_owned(), line.clone())
            })
            .collect()
    }

    /// The id of the event at this place of what was sent.
    ///
    /// # Panics
    /// When the answer names none.
    pub fn event_id(&self, index: usize) -> String {
        let id = self.json["events"][index]["id"].as_str();
        id.unwrap_or_else(|| panic!("no id of event {index} in {}", self.text)).to_owned()
    }

    /// One header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    pub fn new(http: SocketAddr, admin: SocketAddr) -> Client {
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Client { http, admin, plain: builder.timeout(PATIENCE).build().expect("a client") }
    }

    /// A request to the public listener, for the test to finish.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.plain.request(method, format!("http://{}{path}", self.http))
    }

    /// Sends a request and reads its answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, json, text })
    }

    /// Posts as a backend, with the API key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(reqwest::Method::POST, path).bearer_auth(API_KEY).body(body.to_string());
        self.send(request).await.expect("an answer")
    }

    /// Posts as a page of the shop does: its origin, the write key in the body, plain text.
    pub async fn post_from_page(&self, body: &Value, cookies: &str) -> Answer {
        let mut body = body.clone();
        if let Some(body) = body.as_object_mut() {
            body.insert("write_key".into(), json!(WRITE_KEY));
        }
        let mut request = self
            .request(reqwest::Method::POST, "/v1/events")
            .header("origin", ORIGIN)
            .header("host", "track.shop.example")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Tests/1.0")
            .header("accept-language", "de-AT,de;q=0.9")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-for", "203.0.113.7")
            .header("content-type", "text/plain")
            .body(body.to_string());
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        self.send(request).await.expect("an answer")
    }

    /// Posts one event as a backend, which must be taken; gives its id.
    ///
    /// # Panics
    /// When it is not taken.
    pub async fn take(&self, event: &Value) -> String {
        let answer = self.post("/v1/events", event).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.event_id(0)
    }

    /// Asks the admin listener.
    pub async fn admin(&self, path: &str) -> Answer {
        let request = self.plain.get(format!("http://{}{path}", self.admin)).bearer_auth(ADMIN_TOKEN);
        self.send(request).await.expect("an answer")
    }

    /// What `/api/status` says of one destination.
    pub async fn status(&self, destination: &str) -> Value {
        let status = self.admin("/api/status").await.json;
        let destinations = status["destinations"].as_array().cloned().unwrap_or_default();
        destinations.into_iter().find(|one| one["name"] == destination).unwrap_or_default()
    }

    /// Waits until `/api/status` says of one destination what is wanted.
    ///
    /// # Panics
    /// When it does not come to that; shows what it came to.
    pub async fn status_until(&self, destination: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let search = async {
            loop {
                last = self.status(destination).await;
                if wanted(&last) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, search).await.is_err() {
            panic!("the status of `{destination}` did not become as wanted; it is {last:#}");
        }
        last
    }

    /// The dead letters of one destination, newest first.
    pub async fn dead_letters(&self, destination: &str) -> Vec<Value> {
        let answer = self.admin(&format!("/api/dead-letters?destination={destination}")).await;
        answer.json["dead_letters"].as_array().cloned().unwrap_or_default()
    }

    /// Tells the admin listener to do something.
    pub async fn admin_post(&self, path: &str, body: &Value) -> Answer {
        let request = self.plain.post(format!("http://{}{path}", self.admin)).bearer_auth(ADMIN_TOKEN).json(body);
        self.send(request).await.expect("an answer")
    }

    /// The trace of an event.
    pub async fn trace(&self, id: &str) -> Value {
        self.admin(&format!("/api/events/{id}")).await.json
    }

    /// Waits until an event's trace is as wanted.
    ///
    /// # Panics
    /// When it does not come to that; shows what it came to.
    pub async fn trace_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let search = async {
            loop {
                last = self.trace(id).await;
                if wanted(&last) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, search).await.is_err() {
            panic!("the trace of `{id}` did not become as wanted; it is {last:#}");
        }
        last
    }

    /// Waits until one destination's part of an event has an outcome; gives that part.
    pub async fn outcome(&self, id: &str, destination: &str, outcome: &str) -> Value {
        let part = |trace: &Value| {
            let parts = trace["destinations"].as_array()?.clone();
            parts.into_iter().find(|part| part["name"] == destination)
        };
        let trace = self.trace_until(id, |trace| part(trace).is_some_and(|part| part["outcome"] == outcome)).await;
        part(&trace).expect("it was there")
    }
}
