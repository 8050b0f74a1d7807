//! OAuth 2.0 as a client: token requests and their many answers.
//! Never stores anything, never decides when to refresh.

mod app_fingerprint;
mod client_authentication;
mod error;
#[cfg(test)]
pub(crate) mod hostile_server;
pub mod token_endpoint;
mod token_reply;
mod token_request;

pub use app_fingerprint::AppFingerprint;
pub use client_authentication::ClientAuthentication;
pub use error::{ExchangeError, Sent};
pub use token_endpoint::TokenEndpoint;
pub use token_reply::TokenResponse;
pub use token_request::{Grant, TokenRequest};
