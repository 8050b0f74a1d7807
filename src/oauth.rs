//! OAuth as a client: requests for consent, token requests of 2.0, the exchanges of 1.0a, and their many answers.
//! Never stores anything, never decides when to refresh.

mod app_fingerprint;
pub mod authorization;
mod client_assertion;
mod client_authentication;
mod error;
#[cfg(test)]
pub(crate) mod hostile_server;
mod http_request;
mod meaning;
mod reading;
pub mod three_legged;
pub mod token_endpoint;
mod token_reply;
mod token_request;

pub use app_fingerprint::AppFingerprint;
pub use client_authentication::{Basic, Client, ClientAuthentication};
pub use error::{ExchangeError, Sent};
pub use http_request::Encoding;
pub use reading::Reading;
pub use three_legged::{OAuth1Request, Temporary};
pub use token_endpoint::{RESERVED, TokenEndpoint};
pub use token_reply::TokenResponse;
pub use token_request::{Grant, TokenRequest};
