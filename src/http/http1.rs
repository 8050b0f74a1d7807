//! HTTP/1.1's grammar (RFC 9112) for both of its sides: heads, bodies as they come in, messages on their way out.
//! Never guesses: what could be read in two ways is malformed, whoever said it.
//!
//! By hand rather than with hyper, for what that costs and for what that lets pass (docs/decisions/0005-http-1-by-hand.md).
//! [`listener`](super::listener) and [`pool`](super::pool) drive the parts.

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
