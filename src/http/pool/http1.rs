//! HTTP/1.1 on one connection to an upstream: a request out, its response in, in the task of whoever asks.
//! Never guesses: what could be read in two ways is no response, and its connection is closed.

mod answer;
mod connection;
mod exchange;
mod head;
mod request;

pub(super) use answer::Home;
pub(super) use connection::Connection;
pub(super) use exchange::{Received, exchange};
pub(super) use request::begin;
