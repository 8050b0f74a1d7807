//! Keeping credentials fresh: when to refresh, one exchange per connection, what each answer means.
//! Never sends a customer's request, never knows who asked.

pub mod freshness;
pub mod outcome;
pub mod single_flight;

pub use outcome::RefreshError;
use std::sync::Arc;
use crate::store::Opened;

/// skeleton
pub struct Refresher {}
impl Refresher {
    /// `runtime`: where exchanges run to their end, whatever becomes of the caller.
    pub fn new(_catalog: Arc<arc_swap::ArcSwap<crate::connector::Catalog>>, _store: crate::store::Store, _tokens: crate::oauth::TokenEndpoint, _clock: Arc<dyn crate::clock::Clock>, _telemetry: Arc<crate::telemetry::Telemetry>, _runtime: tokio::runtime::Handle) -> Arc<Self> { unimplemented!() }
    /// Fresh: as it is, at once. Stale: as it is, refreshed behind. Ended: refreshed first.
    pub async fn fresh(self: &Arc<Self>, _opened: Opened) -> Result<Opened, RefreshError> { unimplemented!() }
    /// The third party refused `rejected`: refreshes only if that version is still the current one, else hands over the newer.
    pub async fn force(self: &Arc<Self>, _rejected: &Opened) -> Result<Opened, RefreshError> { unimplemented!() }
    /// The first token of a client-credentials grant for a connection that is being created.
    pub async fn first_token(&self, _integration: &crate::connector::Integration, _app: Option<&crate::names::AppId>, _secrets: &mut crate::store::Secrets) -> Result<Option<std::time::Duration>, RefreshError> { unimplemented!() }
    /// Waits for exchanges in flight; for shutdown.
    pub async fn drain(&self) { unimplemented!() }
}
