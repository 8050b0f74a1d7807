//! OAuth 2.0 as a client: token requests and their many answers.
//! Never stores anything, never decides when to refresh.

pub mod token_endpoint;
pub use token_endpoint::{ExchangeError, Grant, TokenEndpoint, TokenRequest};
