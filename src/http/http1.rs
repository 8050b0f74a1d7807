//! HTTP/1.1's grammar (RFC 9112) for both of its sides: heads, bodies as they come in, messages on their way out.
//! Never guesses: what could be read in two ways is malformed, whoever said it.
//!
//! hyper keeps two buffers for each connection that waits, runs each connection to an upstream as a task of its own, and
//! looks at every part of a message more than once; this costs more than all the rest of a request
//! (docs/decisions/0006-http-1-by-hand.md). The parts here are small enough to be read instead. [`listener`](super::listener)
//! and [`pool`](super::pool) drive them.

mod chunked;
mod fields;
mod incoming;
mod intake;
mod outgoing;
mod trailers;

pub(super) use fields::{Heads, content_length, is_chunked, write_field};
pub(super) use incoming::{Left, Step};
pub(super) use intake::Intake;
pub(super) use outgoing::{Framing, Outgoing, OutgoingError};
pub(super) use trailers::{announce_harmless, announced, keep_harmless};

/// Why something is no message of HTTP/1.1. The sentence goes to the log or to whoever said it.
pub(super) type Malformed = &'static str;
