//! Tidegate's domain types: what an event is, who it is about, and what its visitor consented to.
//!
//! Owns the types and their invariants. Does no I/O, takes no time and no chance, and knows no client's wire format.

mod click;
mod consent;
mod event;
mod ids;
mod parameter;
mod withheld;

pub use click::{ClickId, clicks_merge};
pub use consent::{Consent, Level, Purpose, Purposes, Signal};
pub use event::{Client, Event, Identifiers, Item, Kind, Page, Session};
pub use ids::{DeliveryId, EventId, IdError, VisitorId};
pub use parameter::{Carries, Mark, PARAMETERS, Parameter, is_click_parameter};
pub use withheld::{Withheld, is_address, withhold};
