//! The integration tests, one binary: each module is a list of sentences about Sidegate.
mod config;
mod store;
mod support;
mod wycheproof;
