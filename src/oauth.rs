//! OAuth 2.0 as a client: token requests and their many answers.
//! Never stores anything, never decides when to refresh.

mod client_authentication;
#[cfg(test)]
pub(crate) mod hostile_server;
pub mod token_endpoint;
mod token_reply;

pub use client_authentication::ClientAuthentication;
pub use token_endpoint::{ExchangeError, Grant, Sent, TokenEndpoint, TokenRequest};
pub use token_reply::TokenResponse;
