//! The inbound side as a caller and an API see it: a whole Sidegate, and raw bytes on both sides of it.
//! The ids in the names are those of the attacks that a reviewer would try.

mod flood;
mod framing;
mod headers;
mod keys;
mod literals;
mod paths;
mod readings;
mod responses;
mod rules;
mod smuggling;
mod stopping;
mod streaming;
mod tokens;
mod unread;
mod upgrades;
