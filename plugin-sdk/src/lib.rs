//! Everything the author of a Tidegate destination plugin needs.
//!
//! A plugin is two pure functions behind one trait, [`Plugin`]; [`export!`] makes a component of it. The types of an
//! event, a request and a verdict are those of the WIT contract. On the host the same code compiles to an ordinary
//! library, so a plugin's unit tests run natively.

#[cfg(target_arch = "wasm32")]
mod arena;
#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "build")]
pub mod build;
#[cfg(feature = "manifest")]
pub mod manifest;
mod purposes;
#[cfg(feature = "testing")]
pub mod testing;

pub use bindings::types::*;
#[doc(hidden)]
pub use bindings::{__export_destination, types as __types};

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
