//! Tidegate: a first-party event gateway.
//!
//! # An event's journey
//!
//! A browser or a backend posts events to the public listener ([`http`]), which knows the site by the key and makes a
//! visit of the request: who is there, with which cookies. The [`journey`] then takes each event through its stages:
//! *decode* its client's format, *identify* whom it is about, *validate* it, decide its *consent* and remove what that
//! does not cover, join the visitor's *profile*, *fan out* to the site's [`destination`]s, *transform* it by each
//! one's sandboxed plugin, and *enqueue* it with all its deliveries in one durable commit. Only then is the client
//! answered.
//!
//! From the queue each destination's [`delivery`] worker leases what is due, merges it into requests, authenticates
//! and sends them, has the plugin classify the answer, and settles every delivery: delivered, to be retried, or dead,
//! with the answer kept. What happened is told by the [`admin`] side, to operators and to the command line ([`cli`]).
//!
//! `config`, `journey` and `delivery` know nothing of `http`, `admin` or `cli`, and `delivery` nothing of `journey`.
//! Only [`app`] builds concrete types.

pub mod admin;
pub mod app;
pub mod audit;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod destination;
pub mod ending;
pub mod http;
pub mod journey;
pub mod kit;
pub mod ledger;
pub mod metrics;
pub mod permissions;
pub mod quality;
pub mod record;
pub mod reload;
pub mod reproduce;
pub mod scaffold;
pub mod snapshot;
pub mod switch;
pub mod transfer;
pub mod trial;
pub mod withdrawal;
