//! Everything the author of a Tidegate destination plugin needs.
//!
//! A plugin is two pure functions behind one trait, [`Plugin`]; [`export!`] makes a component of it. The types of an
//! event, a request and a verdict are those of the WIT contract. On the host the same code compiles to an ordinary
//! library, so a plugin's unit tests run natively.
//!
//! A whole plugin, which posts purchases to an imaginary platform:
//!
//! ```
//! use serde_json::json;
//! use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, classify, money, names, time};
//!
//! struct Acme;
//! tidegate_plugin_sdk::export!(Acme);
//!
//! impl Plugin for Acme {
//!     fn transform(event: Event, _ctx: Context) -> Result<Vec<Request>, Rejection> {
//!         if event.name != names::PURCHASE {
//!             return Err(Rejection::skip("not a purchase"));
//!         }
//!         let money = money::required(&event)?;
//!         let body = json!({ "id": event.id, "time": time::seconds(event.at_ms), "amount": money.amount(),
//!                            "currency": money.currency, "email_sha256": event.identifier("email") });
//!         Ok(vec![Request::json("events", &body)?])
//!     }
//!
//!     fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
//!         classify::by_status(&response, count, &ctx)
//!     }
//! }
//! # let event = Event { name: "purchase".into(), value: Some(19.9), currency: Some("EUR".into()), ..Event::example() };
//! # let requests = Acme::transform(event, Context::example()).unwrap();
//! # assert_eq!(requests[0].endpoint, "events");
//! ```
//!
//! Beside it lies a `plugin.toml` (the `manifest` module) that names the endpoint `events`, grants `user.email` as
//! `sha256`, `event.value` and `event.currency`, and says which consent an event needs. Fixtures in `fixtures/*.json`
//! (the `testing` module) show one event each, and the requests that it gives.

#![warn(missing_docs)]

#[cfg(any(target_arch = "wasm32", test))]
mod arena;
#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "build")]
pub mod build;
pub mod classify;
mod event;
mod example;
mod export;
pub mod items;
pub mod json;
#[cfg(feature = "manifest")]
pub mod manifest;
pub mod money;
pub mod names;
mod properties;
mod purposes;
mod request;
mod scalar;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;

pub use bindings::types::*;
#[doc(hidden)]
pub use bindings::{__export_destination, types as __types};
pub use properties::Properties;
pub use scalar::{Scalar, Text};

/// A destination: what turns an event into requests, and answers into verdicts.
pub trait Plugin {
    /// Turns one event into the requests that report it; none when there is nothing to say.
    ///
    /// # Errors
    /// [`Rejection::Skip`] when the event is none of this destination's business, [`Rejection::Invalid`] when the
    /// platform would refuse or ignore it.
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection>;

    /// Says what the answer to a request that carried `count` events means.
    fn classify(response: Response, count: u32, ctx: Context) -> Verdict;
}
