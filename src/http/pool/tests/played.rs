//! What becomes of a request when every read of its answer is written down beforehand.

use super::*;
use crate::http::pool::stream::Stream;
use crate::http::testing::generated::pairs;

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// None if there was no response.
    pub(super) head: Option<(u16, Vec<(String, String)>)>,
    /// None if it was an error.
    pub(super) body: Option<String>,
    pub(super) trailers: Vec<(String, String)>,
    pub(super) is_kept: bool,
}

/// A pool that has `played` for a connection and nobody to dial.
pub(super) fn pool_of(played: Played) -> Pool {
    let nowhere = Origin::Unix(Path::new("/nonexistent/app.sock").into());
    let pool = Pool::new(nowhere, settings());
    pool.home.idle.put(Connection::new(Stream::Played(played)));
    pool
}

/// Sends `request` to what says `reads` and then leaves, or stays.
pub(super) async fn outcome(request: Request<Body>, reads: Vec<Vec<u8>>, leaves: bool) -> Outcome {
    let pool = pool_of(Played::new(reads, leaves));
    let mut outcome = Outcome { head: None, body: None, trailers: Vec::new(), is_kept: false };
    let Ok(response) = soon(pool.send(request)).await else { return outcome };
    outcome.head = Some((response.status().as_u16(), pairs(response.headers())));
    if let Ok(body) = soon(response.into_body().collect()).await {
        outcome.trailers = body.trailers().map(pairs).unwrap_or_default();
        outcome.body = Some(String::from_utf8_lossy(&body.to_bytes()).into_owned());
    }
    outcome.is_kept = pool.home.idle.len() == 1;
    outcome
}
