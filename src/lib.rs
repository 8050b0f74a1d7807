//! Sidegate.
#![allow(missing_docs, clippy::unimplemented)] // skeleton: goes when the rooms are built
pub mod names;
pub mod secret;
pub mod clock;
pub mod report;
pub mod document;
pub mod telemetry;
pub mod http;
pub mod formula;
pub mod seal;
pub mod token;
pub mod connector;
pub mod store;
pub mod oauth;
pub mod inject;
pub mod refresh;
pub mod call;
pub mod inbound;
pub mod outbound;
pub mod api;
pub mod admin;
pub mod config;
