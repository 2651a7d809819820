//! Requests: any path, headers that mean something with values that do not, and bodies that may be compressed.

use std::io::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use reqwest::header::{HeaderName, HeaderValue};
use tidegate_tests::API_KEY;

use crate::json;

/// A request that any client could send.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "POST {}", self.path)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value:?}")?;
        }
        write!(f, "\n{}", self.body.escape_ascii())
    }
}

const PATHS: &[&str] = &[
    "/v1/events",
    "/v1/events",
    "/v1/batch",
    "/v1/batch",
    "/v1/b",
    "/v1/import",
    "/v1/track",
    "/v1/t",
    "/v1/page",
    "/v1/p",
    "/v1/screen",
    "/v1/identify",
    "/v1/i",
    "/v1/group",
    "/v1/g",
    "/v1/alias",
    "/v1/a",
];

const HEADERS: &[&str] = &[
    "authorization",
    "x-write-key",
    "idempotency-key",
    "content-type",
    "content-encoding",
    "cookie",
    "user-agent",
    "accept-language",
    "referer",
    "sec-gpc",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "sec-fetch-site",
    "date",
    "accept-encoding",
    "if-none-match",
    "range",
    "x-anything",
    "access-control-request-method",
];

const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "application/json",
    "text/plain;charset=x",
    "gzip",
    "br, gzip",
    "https",
    "null",
    "*",
    ";;;",
    "=;=",
    "Basic",
    "Basic !!!",
    "Basic OjpA",
    "Bearer ",
    "Digest x",
    "tg_vid=v1.k1.00000000-0000-0000-0000-000000000000.0.AAAA",
    "tg_vid=v1.k1..",
    "tg_vid=; tg_vid=",
    "_fbp=fb.1.9999999999999999999.1; _fbc=fb.1..; _ga=GA1.2.3; _ga_X=GS1.1.1",
    "_gcl_aw=GCL.-1.x",
    "1.2.3.4",
    "::ffff:1.2.3.4, 127.0.0.1",
    "203.0.113.7, nonsense, 127.0.0.1",
    "%",
    "x-y-z-q,;q=2",
    "https://www.shop.example/?fbclid=%zz",
];

pub(crate) fn request() -> impl Strategy<Value = Request> {
    (path(), vec(header(), 0..3), key(), body()).prop_map(|(path, mut headers, key, (fitting, body))| {
        headers.extend(key);
        Request { path: path.unwrap_or_else(|| fitting.to_owned()), headers, body }
    })
}

/// Bytes that may be HTTP.
pub(crate) fn connection() -> impl Strategy<Value = Vec<u8>> {
    let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: demo-write-key\r\n";
    let framed = vec(any::<u8>(), 0..300).prop_flat_map(move |body| {
        let length = body.len();
        let lengths = vec![
            format!("content-length: {length}"),
            format!("content-length: {}", length + 10),
            "content-length: -1".to_owned(),
            "content-length: 99999999999999999999".to_owned(),
            format!("content-length: {length}\r\ncontent-length: 0"),
            "transfer-encoding: chunked".to_owned(),
            format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
            "transfer-encoding: gzip, chunked".to_owned(),
            "expect: 100-continue\r\ncontent-length: 5".to_owned(),
            "upgrade: h2c\r\nconnection: upgrade".to_owned(),
        ];
        select(lengths).prop_map(move |length| [head.as_bytes(), length.as_bytes(), b"\r\n\r\n", &body].concat())
    });
    let split = (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(move |(index, stray)| {
        let mut bytes = format!("{head}content-length: 2\r\n\r\n{{}}").into_bytes();
        let at = index.index(bytes.len());
        bytes.splice(at..at, stray);
        bytes
    });
    let long =
        (1..200_000usize).prop_map(move |length| format!("{head}x-long: {}\r\n\r\n", "a".repeat(length)).into_bytes());
    let http2 =
        vec(any::<u8>(), 0..300).prop_map(|rest| [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &rest].concat());
    prop_oneof![3 => framed, 3 => split, 1 => long, 2 => http2, 2 => vec(any::<u8>(), 0..600)]
}

/// None for the path that fits the body.
fn path() -> impl Strategy<Value = Option<String>> {
    let query = select(&["?writeKey=demo-write-key", "?writeKey=%ff%zz", "?&&==", "?write_key=", "?a=b#c"][..]);
    prop_oneof![
        12 => Just(None),
        4 => select(PATHS).prop_map(|path| Some(path.to_owned())),
        1 => (select(PATHS), query).prop_map(|(path, query)| Some(format!("{path}{query}"))),
        1 => "/[a-zA-Z0-9/._%-]{0,40}".prop_map(Some),
    ]
}

/// Mostly a right key: what is refused at the door tests nothing behind it.
fn key() -> impl Strategy<Value = Option<(HeaderName, HeaderValue)>> {
    let right = HeaderValue::from_str(&format!("Bearer {API_KEY}")).expect("the key is ASCII");
    let browser = HeaderValue::from_static("demo-write-key");
    prop_oneof![
        8 => Just(Some((HeaderName::from_static("authorization"), right))),
        4 => Just(Some((HeaderName::from_static("x-write-key"), browser))),
        1 => Just(None),
    ]
}

fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let name = prop_oneof![
        6 => select(HEADERS).prop_map(str::to_owned),
        1 => "[a-z][a-z0-9-]{0,30}".prop_filter("frames the request", |name| {
            !matches!(name.as_str(), "content-length" | "transfer-encoding" | "te" | "connection" | "upgrade" | "expect" | "host")
        }),
    ];
    let value = prop_oneof![
        4 => select(VALUES).prop_map(|value| value.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 0..60),
        1 => (0..20_000usize).prop_map(|length| vec![b'x'; length]),
    ];
    (name, value).prop_filter_map("no header", |(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?))
    })
}

/// A body, and the path that its event fits.
fn body() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let blanks = select(&[1usize, 100_000, 4 << 20, 6_000_000][..]);
    let shape = prop_oneof![
        100 => Just(Shape::Plain),
        20 => Just(Shape::Gzip),
        10 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Shape::GzipFlipped(at, byte)),
        10 => any::<Index>().prop_map(Shape::GzipCut),
        10 => (any::<Index>(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Shape::Stray(at, bytes)),
        10 => vec(any::<u8>(), 0..2_048).prop_map(Shape::Noise),
        1 => blanks.prop_map(Shape::Bomb),
    ];
    (json::event(), shape).prop_map(|(text, shape)| {
        let fitting = match text.get(..8) {
            Some("{\"batch\"") => "/v1/batch",
            Some("{\"userId") => "/v1/track",
            _ => "/v1/events",
        };
        (fitting, shape.applied(text.into_bytes()))
    })
}

/// What is done to an event's text on its way.
#[derive(Debug, Clone)]
enum Shape {
    Plain,
    Gzip,
    GzipFlipped(Index, u8),
    GzipCut(Index),
    Stray(Index, Vec<u8>),
    /// These bytes instead.
    Noise(Vec<u8>),
    /// So many blanks instead, compressed.
    Bomb(usize),
}

impl Shape {
    fn applied(self, mut text: Vec<u8>) -> Vec<u8> {
        match self {
            Shape::Plain => text,
            Shape::Gzip => gzip(&text),
            Shape::GzipFlipped(at, byte) => {
                let mut bytes = gzip(&text);
                let at = at.index(bytes.len());
                bytes[at] ^= byte;
                bytes
            }
            Shape::GzipCut(at) => {
                let mut bytes = gzip(&text);
                bytes.truncate(at.index(bytes.len()));
                bytes
            }
            Shape::Stray(at, bytes) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, bytes);
                text
            }
            Shape::Noise(bytes) => bytes,
            Shape::Bomb(length) => gzip(&vec![b' '; length]),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
