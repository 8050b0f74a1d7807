//! The inbound side as a caller and an API see it: a whole Sidegate, and raw bytes on both sides of it.
//! The ids in the names are those of the attacks that a reviewer would try.

mod flood;
mod framing;
mod h2_conformance;
mod h2_floods;
mod h2_requests;
mod headers;
mod identity;
mod keys;
mod literals;
mod paths;
mod readings;
mod responses;
mod rules;
mod slow;
mod smuggling;
mod stopping;
mod streaming;
mod tls;
mod tokens;
mod unread;
mod upgrades;
