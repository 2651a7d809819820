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
//!
//! What platforms have in common is here, so that a plugin says only what is its platform's own:
//!
//! | for | there is |
//! |---|---|
//! | what an event is called | [`Event::canonical_name`], [`names::lookup`], [`names::CustomEvents`] |
//! | whether its time is taken, and in which form | [`time::Window`], [`time::seconds`], [`time::iso8601`] |
//! | what it is worth | [`money::of`], [`money::round`], [`money::Number`], [`money::Decimal`] for amounts as text |
//! | what was bought | [`items`], [`commerce`] for platforms that took over Segment's specification |
//! | the click that led to it | [`Event::click`], [`Event::last_click`] |
//! | a few of its properties | [`json::properties`] with [`Scalar`]s, or [`Properties`] as a tree |
//! | any properties, passed on as they are | [`RawPairs`], and [`fields::Fields`] to write an object with |
//! | keeping people out of them | [`personal`] |
//! | the parts of an address | [`url`], [`Event::web_page_url`] |
//! | a row of a warehouse, or a record of a log | [`row`] |
//! | what an answer means | [`classify::by_status`], [`classify::retry_after_ms`], [`classify::reset_after_ms`] |

#![warn(missing_docs)]

#[cfg(any(target_arch = "wasm32", test))]
mod arena;
#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "build")]
pub mod build;
pub mod classify;
pub mod commerce;
mod event;
mod example;
mod export;
pub mod fields;
pub mod items;
pub mod json;
#[cfg(feature = "manifest")]
pub mod manifest;
pub mod money;
pub mod names;
mod pairs;
#[doc(hidden)]
pub mod panic;
pub mod personal;
mod properties;
mod purposes;
mod request;
pub mod row;
mod scalar;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod url;

pub use bindings::types::*;
#[doc(hidden)]
pub use bindings::{__export_destination, types as __types};
pub use pairs::{Pairs, RawPairs};
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
