//! Sidegate, the auth sidecar: verifies integration tokens in front of an API and injects customers' credentials
//! behind it. `ARCHITECTURE.md` is the map; the rooms stand here in the order in which they are best read.
//!
//! A request comes in through [`inbound`]: [`http::listener`] accepts it, a rule is found, [`token`] verifies it, the
//! rule makes a `Permit`, and only a `Permit` can be forwarded. The service's own requests go out through
//! [`outbound`]: the caller and the connection are found, [`call`] opens the credentials from the [`store`],
//! [`refresh`]es them if they must be, [`inject`]s them, and only a signed request can be sent.
//!
//! The library exists for the binary, the tests and the benches; it promises no stable interface to anybody else.

// The listeners and what they stand on, top down.
pub mod api;
pub mod connect;
pub mod inbound;
pub mod outbound;

pub mod call;
pub mod inject;
pub mod method;
pub mod refresh;

pub mod oauth;
pub mod oauth1;
pub mod store;
pub mod token;

pub mod connector;
pub mod formula;
pub mod script;
pub mod seal;
pub mod steps;

pub mod admin;
pub mod http;
pub mod telemetry;

// The ground floor: words and small tools that import nothing of ours.
pub mod clock;
pub mod document;
pub mod names;
pub mod report;
pub mod secret;

// Above all floors: what the operator typed, and the one place that knows every room.
pub mod app;
pub mod config;
