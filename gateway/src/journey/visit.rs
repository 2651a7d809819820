//! The visit: what the HTTP request itself says of who is there, whatever events it carries.

use std::net::IpAddr;

use tidegate_consent::Signals;
use tidegate_event::{ClickId, VisitorId};
use uuid::Uuid;

/// Who sent a request, and what its headers tell.
#[derive(Debug, Clone)]
pub struct Visit {
    pub sender: Sender,
    pub authority: Authority,
    /// The visitor that the signed cookie names; of a site without cookies, the day's.
    pub visitor: Option<VisitorId>,
    /// The id that a browser gets if it has none and its consent allows one.
    pub visitor_new: VisitorId,
    pub lasts: Lasts,
    /// Clicks that the visitor brought along from another of the site's domains.
    pub clicks: Vec<ClickId>,
    /// The platforms' cookies that came along.
    pub cookies: Vec<(String, String)>,
    /// The request's own signals of consent: `Sec-GPC`, and of a browser the cookies `tg_consent`, `euconsent-v2` and
    /// those of the Global Privacy Platform. They hold for every event in it.
    pub signals: Signals,
    /// The sender's own address and agent: the visitor's, if the sender is a browser.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub locale: Option<String>,
    pub referrer: Option<String>,
    pub idempotency_key: Option<String>,
    pub received_ms: u64,
    /// What makes ids for events that have none.
    pub id_seed: Uuid,
}

/// For how long an id that the gateway gives a browser is that visitor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// A cookie keeps it.
    ForGood,
    /// It is made of what the browser sends anyway: two people behind one address may share it, so it tells nothing of
    /// who they are.
    Today,
}

/// What kind of program sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The visitor's own browser: cookies, address and agent are the visitor's.
    Browser,
    /// A backend: what it does not say of the visitor is not known.
    Backend,
}

/// For whom a sender may speak. Who reads the write key in a page may send events of anybody, but take nothing of theirs
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// For the visitor that the cookie names, or whose id it knows.
    Itself,
    /// For everybody: it has a secret key.
    Everybody,
}
