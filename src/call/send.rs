//! Sends one signed request and hands over what comes back, streaming.
//! Never retries, never follows a redirect, never looks at the credentials.
//!
//! Sending takes a [`SignedRequest`]; one without credentials does not pass:
//!
//! ```compile_fail,E0308
//! use sidegate::http::{Body, client::Client, egress::Egress};
//! async fn leak(client: &Client, request: sidegate::inject::UnsignedRequest) {
//!     let _ = sidegate::call::send::send(client, Egress::default(), request, Body::empty(), None).await;
//! }
//! ```

use http::Response;

use crate::http::Body;
use crate::http::client::Client;
use crate::http::egress::Egress;
use crate::http::forward::upgrade::{Terms, Upgrade};
use crate::http::pool::SendError;
use crate::inject::SignedRequest;

/// One request, one response head; the response's body streams. A 101 comes with the tunnel that follows it.
///
/// # Errors
/// If no response head came: see [`SendError`].
pub async fn send(
    client: &Client,
    egress: Egress,
    request: SignedRequest,
    body: Body,
    upgrade: Option<(Upgrade, Terms)>,
) -> Result<Response<Body>, SendError> {
    let (origin, request) = request.with_body(body);
    match upgrade {
        None => client.send(&origin, egress, request).await,
        Some((upgrade, terms)) => client.switch(&origin, egress, request, upgrade, terms).await,
    }
}
