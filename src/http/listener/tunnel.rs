//! What becomes of a connection once its client was told 101 Switching Protocols.
//! Never knows which protocol follows.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a connection does when it no longer speaks HTTP. A handler puts it into the extensions of its 101; the
/// listener runs it in the connection's own task once the 101 has been sent, so that a graceful stop waits for it, a
/// hard stop drops it, and it counts among the connections. No limit of HTTP holds any more.
///
/// The client's side is [`hyper::upgrade::OnUpgrade`], which hyper puts into the extensions of each request that asks
/// for an upgrade.
#[derive(Clone)]
pub struct Tunnel(Arc<Mutex<Option<Run>>>);

impl Tunnel {
    /// The future ends when the tunnel does.
    pub fn new(run: impl Future<Output = ()> + Send + 'static) -> Self {
        // Extensions are cloned and shared, though this one is only ever taken.
        Self(Arc::new(Mutex::new(Some(Box::pin(run)))))
    }

    /// Runs it, unless that happened before.
    pub(super) async fn run(self) {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(run) = run {
            run.await;
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}
