//! What a script may ask of us while it runs: requests to the outside, answered by whoever started it.
//! Never makes a request; it says what one looks like.

use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

/// A future that can be sent to another thread, in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The requests of one script's run. Whoever implements it decides where a request may go: a script is text from a
/// connector folder, and the URLs it names may be made of what a customer typed in.
pub trait HostCalls: Send + Sync {
    /// Whether the script is given `apiClient` and `externalApiClient`: the connection's own API client.
    fn offers_api_client(&self) -> bool;

    /// Makes a request, redirects not followed, and reads the whole answer. Dropped when the script's time is over.
    fn call(&self, request: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>>;
}

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostClient {
    /// `fetch`, `axios` and the script's own `RestApiClient`: the URL is absolute, and the headers are all there are.
    Open,
    /// `apiClient`: the URL is a path below the connection's base URI (or absolute), and its credentials are put in.
    Connection,
}

/// A request of a script.
pub struct HostRequest {
    /// Who makes it.
    pub client: HostClient,
    /// The method, in capitals as a rule.
    pub method: String,
    /// Where to, with its query.
    pub url: String,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// The body, if there is one.
    pub body: Option<Zeroizing<Vec<u8>>>,
}

/// What was answered, whatever its status.
pub struct HostResponse {
    /// The status.
    pub status: u16,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Why a request got no answer. The script sees both, and what it does not catch is shown: no secrets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// One sentence without a full stop.
    pub message: String,
    /// The vendor's key, as `access_token_expired`.
    pub key: Option<String>,
    /// The status of the answer that counts as none.
    pub status: Option<u16>,
}

impl HostError {
    /// The key where nobody answered.
    pub const UNREACHABLE: &str = "unreachable";
    /// The key where the request may not be made.
    pub const NOT_ADMITTED: &str = "not_admitted";
}

/// For methods that ask nobody: every request is refused.
pub struct NoHostCalls;

impl HostCalls for NoHostCalls {
    fn offers_api_client(&self) -> bool {
        false
    }

    fn call(&self, _: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
        let error = HostError { message: "this method may make no requests".into(), key: None, status: None };
        Box::pin(std::future::ready(Err(error)))
    }
}
