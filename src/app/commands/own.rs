//! The service's side opened by a command itself, for as long as no running Sidegate holds the store.
//! Never listens, and never makes a store that is not there.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};

use super::Failed;
use crate::app::service::ServiceSide;
use crate::app::{Outside, StartError, placed};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::connector::Catalog;
use crate::http::egress::Names;
use crate::http::tls::ClientTls;
use crate::store::StoreError;
use crate::telemetry::{AccessLog, Telemetry};
use crate::token::Verifier;

/// The store and what stands on it, in this process.
pub(super) struct Own {
    pub(super) service: Arc<ServiceSide>,
    pub(super) runtime: Runtime,
}

impl Own {
    /// Opens the configured store; none if another process holds it.
    pub(super) fn open(settings: Settings) -> Result<Option<Self>, Failed> {
        let Settings { service, integrations, tokens, places, .. } = settings;
        let service = service.ok_or_else(|| {
            anyhow!("no store is configured; `store`, `encryption` and `listeners.outbound` make one")
        })?;
        exists(&service.store.path)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let telemetry = Telemetry::new(AccessLog::off(), Arc::clone(&clock));
        let (verifier, _) = Verifier::new(tokens, Arc::clone(&clock)).map_err(StartError::Keys)?;
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(integrations)));
        let keys: Vec<_> = service.sealing_keys.iter().map(|key| key.id.clone()).collect();
        let parts = (catalog, Arc::new(verifier), telemetry);
        let outside = Outside { clock, names: Names::default(), third_parties: ClientTls::default() };
        match ServiceSide::build(service, parts, outside, runtime.handle().clone()) {
            Ok(service) => Ok(Some(Self { service: Arc::new(service), runtime })),
            Err(StartError::Store(StoreError::Locked { .. })) => Ok(None),
            Err(error) => Err(placed(error, &places, &keys).into()),
        }
    }
}

fn exists(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    Err(anyhow!("there is no store {} yet; a running Sidegate makes it", path.display()))
}
