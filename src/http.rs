//! HTTP mechanics: listening, forwarding, pooling, small replies.
//! Knows nothing of tokens, connectors or credentials.

pub mod body;
pub mod client;
pub mod egress;
pub mod forward;
pub mod headers;
pub mod hops;
pub mod html;
mod http1;
pub mod listener;
mod moment;
pub mod pool;
pub mod reply;
pub mod request_id;
pub mod served;
#[cfg(test)]
mod testing;
mod timer;
pub mod tls;
pub mod trace_context;

pub use body::{Body, BoxError};
