//! The integration tests, one binary: each module is a list of sentences about Sidegate.
mod store;
mod support;
mod wycheproof;
