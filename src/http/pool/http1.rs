//! HTTP/1.1 on one connection, by hand: a request out, its response in, in the task of whoever asks.
//! Never guesses: what could be read in two ways is no response, and its connection is closed.
//!
//! hyper's client runs each connection as a task of its own, which every request wakes and is woken by; this costs more
//! than all the rest of a request. The parts here are small enough to be read instead: [`request`] writes a head,
//! [`upload`] a body, [`head`] and [`chunked`] read what comes back, [`exchange`] and [`answer`] drive them.

mod answer;
mod chunked;
mod connection;
mod exchange;
mod head;
mod request;
mod upload;

pub(super) use answer::Home;
pub(super) use connection::Connection;
pub(super) use exchange::{Received, exchange};
pub(super) use head::content_length;
pub(super) use upload::Upload;
