//! The least event and context that are whole: what tests start from.

use crate::{Consent, Context, Event, EventKind, Purposes};

impl Event {
    /// A `purchase` that carries nothing but what every event has, with every consent: for tests.
    pub fn example() -> Event {
        Event {
            id: "evt_1".into(),
            name: "purchase".into(),
            kind: EventKind::Track,
            // 2026-01-15T14:32:00Z
            at_ms: 1_768_487_520_000,
            received_ms: 1_768_487_521_000,
            anonymous_id: None,
            user_id: None,
            identifiers: Vec::new(),
            clicks: Vec::new(),
            cookies: Vec::new(),
            page: None,
            client: None,
            session: None,
            consent: Consent {
                granted: Purposes::all(),
                denied: Purposes::empty(),
                gpc: false,
                limited_data_use: false,
            },
            value: None,
            currency: None,
            order_id: None,
            items: Vec::new(),
            properties: "{}".into(),
        }
    }
}

impl Context {
    /// A first attempt, two seconds after [`Event::example`], with an empty configuration: for tests.
    pub fn example() -> Context {
        Context { now_ms: 1_768_487_522_000, seed: 1, attempt: 1, test_mode: false, config: "{}".into() }
    }
}
