//! The service's side of Sidegate put together: the store, the refresher, the SDK API and the credential proxy.
//! Never sees inbound traffic.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Method, Request, Response};
use tokio::runtime::Handle;

use super::rotation::Rotations;
use super::{Outside, StartError};
use crate::admin::preview::{Preview, Wanted};
use crate::admin::sealing::Rotation;
use crate::api::Api;
use crate::call::{self, Calls, Requested};
use crate::clock::Clock;
use crate::config::ServiceSettings;
use crate::connector::Catalog;
use crate::http::Body;
use crate::http::client::Client;
use crate::http::egress::Names;
use crate::http::listener::{Arrival, Handler};
use crate::http::tls;
use crate::method::Methods;
use crate::names::ConnectionId;
use crate::oauth::TokenEndpoint;
use crate::outbound::{self, Outbound, caller::Callers};
use crate::refresh::{Refresher, Sources};
use crate::report::report;
use crate::script::Scripts;
use crate::seal::{Keyring, SealingKey};
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::token::Verifier;

/// How long a token endpoint may take to answer. Callers lose patience earlier; a reply that is not waited for is a
/// refresh token lost.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(60);
/// How long a third party may take to accept a connection, and to send its response head.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a request body is kept so that it can be sent again after a refresh.
const REPLAY_LIMIT: usize = 64 * 1024;

type Catalogs = Arc<ArcSwap<Catalog>>;
type SharedCallers = Arc<ArcSwap<Callers>>;

/// What the outbound listeners of all workers share.
pub(super) struct ServiceSide {
    catalog: Catalogs,
    store: Store,
    refresher: Arc<Refresher>,
    api: Arc<Api>,
    callers: SharedCallers,
    scripts: Arc<Scripts>,
    tls: Arc<rustls::ClientConfig>,
    names: Names,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    shared: Handle,
    rotations: Arc<Rotations>,
}

impl ServiceSide {
    pub(super) fn build(
        settings: ServiceSettings,
        (catalog, verifier, telemetry): (Catalogs, Arc<Verifier>, Arc<Telemetry>),
        Outside { clock, names, third_parties }: Outside,
        shared: Handle,
    ) -> Result<Self, StartError> {
        let keyring = Keyring::new(&settings.sealing_keys)?;
        let store = Store::open(&settings.store, keyring, Arc::clone(&clock))?;
        let rotations = Rotations::new(store.clone(), telemetry.metrics.sealing.clone(), Arc::clone(&clock));
        let tls = tls::client(&third_parties)?;
        let tokens = TokenEndpoint::new(EXCHANGE_DEADLINE, Arc::clone(&tls), names.clone());
        let scripts = Scripts::new(settings.scripts, shared.clone(), telemetry.metrics.scripts.clone());
        let scripts = Arc::new(scripts);
        let methods = Methods::new(client(&tls, &names), Arc::clone(&scripts));
        let refresher = Refresher::new(
            Arc::clone(&catalog),
            store.clone(),
            Sources { tokens, methods: methods.clone() },
            Arc::clone(&clock),
            Arc::clone(&telemetry),
            shared.clone(),
        );
        let api = Arc::new(Api::new(
            Arc::clone(&catalog),
            store.clone(),
            Arc::clone(&refresher),
            methods,
            Arc::clone(&clock),
            Arc::clone(&telemetry),
        ));
        let callers = Arc::new(ArcSwap::from_pointee(Callers::new(settings.outbound, verifier)));
        Ok(Self {
            catalog,
            store,
            refresher,
            api,
            callers,
            scripts,
            tls,
            names,
            clock,
            telemetry,
            shared,
            rotations,
        })
    }

    /// One worker's listener: its own connections to third parties.
    pub(super) fn listener(&self) -> Result<ServiceListener, StartError> {
        let outbound = Outbound::new(
            Arc::clone(&self.callers),
            Arc::clone(&self.catalog),
            self.store.clone(),
            self.calls(),
            Arc::clone(&self.telemetry),
        );
        let (api, callers) = (Arc::clone(&self.api), Arc::clone(&self.callers));
        Ok(ServiceListener { outbound, api, callers, shared: self.shared.clone() })
    }

    fn calls(&self) -> Calls {
        let client = client(&self.tls, &self.names);
        let methods = Methods::new(Arc::clone(&client), Arc::clone(&self.scripts));
        let (refresher, clock) = (Arc::clone(&self.refresher), Arc::clone(&self.clock));
        Calls::new(self.store.clone(), refresher, methods, client, clock, REPLAY_LIMIT)
    }

    /// The request that a call would send, secrets masked; else why there is none.
    pub(super) async fn preview(&self, wanted: Wanted) -> Result<Preview, String> {
        let Wanted { connection, method, target } = wanted;
        let method: Method = method.parse().map_err(|_| "the method is not one".to_owned())?;
        let id = ConnectionId::from(connection);
        let found = self.store.connection(&id).await.map_err(|error| report(&error).to_string())?;
        let found = found.ok_or_else(|| format!("there is no connection `{id}`"))?;
        let integration = self.catalog.load().get(&found.integration).cloned();
        let integration = integration
            .ok_or_else(|| format!("its integration `{}` is not configured", found.integration))?;
        let is_url = target.starts_with("https://") || target.starts_with("http://");
        let requested = if is_url { Requested::Url(target) } else { Requested::Path(target) };
        let preview = self.calls().preview(&integration, &id, &requested, method).await;
        let call::preview::Preview { method, url, headers } =
            preview.map_err(|error| report(&error).to_string())?;
        Ok(Preview { method, url, headers })
    }

    /// Seals and opens with these keys from now on.
    pub(super) fn rekey(&self, keys: &[SealingKey]) -> Result<(), StoreError> {
        self.store.rekey(Keyring::new(keys).map_err(StoreError::Seal)?)?;
        self.count_rows();
        Ok(())
    }

    /// The store's rotations of its sealing keys.
    pub(super) fn rotations(&self) -> &Arc<Rotations> {
        &self.rotations
    }

    /// Begins to seal everything anew under the first key.
    pub(super) fn rotate(&self) -> Rotation {
        self.rotations.begin(&self.shared)
    }

    /// Counts, aside, the rows that wait for a rotation.
    pub(super) fn count_rows(&self) {
        let rotations = Arc::clone(&self.rotations);
        self.shared.spawn(async move { rotations.count().await });
    }

    /// Believes other callers and knows other third parties from the next call on.
    pub(super) fn reload(&self, config: Option<outbound::Config>, verifier: Arc<Verifier>, catalog: Catalog) {
        self.callers.store(Arc::new(self.callers.load().reloaded(verifier, config)));
        self.catalog.store(Arc::new(catalog));
    }

    /// Waits for token exchanges in flight to be stored.
    pub(super) async fn drain(&self) {
        self.refresher.drain().await;
    }
}

/// Connections to third parties; each runtime has its own.
fn client(tls: &Arc<rustls::ClientConfig>, names: &Names) -> Arc<Client> {
    Arc::new(Client::new(Arc::clone(tls), names.clone(), CONNECT_TIMEOUT, RESPONSE_HEAD_TIMEOUT))
}

/// The outbound listener of one worker: calls stay on the worker, the API runs on the shared runtime.
pub(super) struct ServiceListener {
    outbound: Outbound,
    api: Arc<Api>,
    callers: SharedCallers,
    shared: Handle,
}

impl Handler for ServiceListener {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        if self.outbound.is_mine(request.uri().path()) {
            return self.outbound.handle(request, arrival).await;
        }
        match self.callers.load_full().identify(request.headers()).await {
            Err(rejection) => self.outbound.refuse(&request, arrival, &rejection),
            Ok(caller) => {
                let api = Arc::clone(&self.api);
                let answer = self.shared.spawn(async move { api.handle(request, caller, arrival).await });
                answer.await.unwrap_or_else(|_| crate::api::rejection::Rejection::Internal.into_response())
            }
        }
    }
}
