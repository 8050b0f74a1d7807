//! The integration tests, one binary: each module is a list of sentences about Sidegate.
#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails says so by panicking
mod admin;
mod browsers;
mod commands;
mod config;
mod connections;
mod connectors;
mod consent;
mod dice;
mod docs;
mod fuzz;
mod ids;
mod inbound;
mod keys;
mod lifecycle;
mod oauth1;
mod origins;
mod outbound;
mod reload;
mod requested;
mod scripts;
mod smoke;
mod store;
mod support;
mod tidy;
mod wycheproof;
