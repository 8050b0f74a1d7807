//! Whether a token endpoint is there again, asked without a grant.
//! Never sends a token or a secret.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::USER_AGENT;

use super::TokenEndpoint;
use crate::http::client::own_calls;
use crate::http::egress::Egress;
use crate::oauth::http_request::{OUR_NAME, admit};

/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

impl TokenEndpoint {
    /// Whether the endpoint answers at all, and not that it is down or overloaded: any answer to a request that asks for
    /// nothing will do, as few know HEAD.
    pub async fn answers(&self, token_uri: &str, egress: Egress) -> bool {
        let Ok(uri) = admit(token_uri, egress) else { return false };
        let client = own_calls(egress, self.names.clone(), DEADLINE, Arc::clone(&self.tls));
        let Ok(client) = client else { return false };
        match client.head(uri).header(USER_AGENT, OUR_NAME).send().await {
            Ok(answer) => !is_down(answer.status()),
            Err(_) => false,
        }
    }
}

fn is_down(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}
