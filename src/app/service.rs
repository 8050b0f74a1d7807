//! The service's side of Sidegate put together: the store, the refresher, the SDK API, the credential proxy and the connect
//! pages.
//! Never sees inbound traffic.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderValue, Method, Request, Response};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::rotation::Rotations;
use super::{Outside, StartError};
use crate::admin::preview::{Preview, Wanted};
use crate::admin::sealing::Rotation;
use crate::api::{Api, Browsers};
use crate::call::{self, Calls, Requested};
use crate::clock::Clock;
use crate::config::ServiceSettings;
use crate::connect::{self, Connect};
use crate::connector::Catalog;
use crate::http::Body;
use crate::http::client::Client;
use crate::http::egress::Names;
use crate::http::listener::{Arrival, Handler};
use crate::http::tls;
use crate::method::{Keys, Methods};
use crate::names::ConnectionId;
use crate::oauth::TokenEndpoint;
use crate::outbound::{self, Outbound, Unknown, caller::Callers, statuses::Statuses};
use crate::refresh::schedule::Census;
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

/// What the outbound and connect listeners of all workers share.
pub(super) struct ServiceSide {
    catalog: Catalogs,
    store: Store,
    refresher: Arc<Refresher>,
    api: Arc<Api>,
    connect: Arc<Connect>,
    callers: SharedCallers,
    statuses: Arc<Statuses>,
    /// What tokens of ours are signed with.
    keys: Keys,
    /// Whom the connect listener believes: nobody without a token.
    browsers: SharedCallers,
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
        let keys = Arc::new(ArcSwap::new(Arc::clone(&verifier)));
        let tokens = TokenEndpoint::new(EXCHANGE_DEADLINE, Arc::clone(&tls), names.clone());
        let scripts = Scripts::new(settings.scripts, shared.clone(), telemetry.metrics.scripts.clone());
        let scripts = Arc::new(scripts);
        let methods =
            Methods::new(client(&tls, &names), Arc::clone(&scripts), Arc::clone(&keys), Arc::clone(&clock));
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
        api.admit_browsers(browsers(&settings.browsers));
        let connect =
            Connect::new(Arc::clone(&api), Arc::clone(&verifier), settings.browsers, Arc::clone(&telemetry));
        let only_tokens = outbound::Config { trust_caller: false, service_secret: None };
        let only_tokens = Callers::new(only_tokens, Arc::clone(&verifier));
        let callers = Arc::new(ArcSwap::from_pointee(Callers::new(settings.outbound, verifier)));
        Ok(Self {
            connect: Arc::new(connect),
            browsers: Arc::new(ArcSwap::from_pointee(only_tokens)),
            catalog,
            store,
            refresher,
            api,
            callers,
            statuses: Arc::new(settings.statuses),
            keys,
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
            Arc::clone(&self.statuses),
            Arc::clone(&self.telemetry),
        );
        Ok(ServiceListener { outbound, api: self.api_door(&self.callers) })
    }

    /// One worker's listener for browsers.
    pub(super) fn browser_listener(&self) -> BrowserListener {
        BrowserListener {
            connect: Arc::clone(&self.connect),
            api: self.api_door(&self.browsers),
            unknown: Unknown::new(Arc::clone(&self.telemetry)),
        }
    }

    fn api_door(&self, callers: &SharedCallers) -> ApiDoor {
        ApiDoor { api: Arc::clone(&self.api), callers: Arc::clone(callers), shared: self.shared.clone() }
    }

    fn calls(&self) -> Calls {
        let client = client(&self.tls, &self.names);
        let (refresher, clock) = (Arc::clone(&self.refresher), Arc::clone(&self.clock));
        let (scripts, keys) = (Arc::clone(&self.scripts), Arc::clone(&self.keys));
        let methods = Methods::new(Arc::clone(&client), scripts, keys, Arc::clone(&clock));
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

    /// Ends, aside, the token exchanges that an earlier process began and did not finish.
    pub(super) fn recover(&self) {
        let refresher = Arc::clone(&self.refresher);
        self.shared.spawn(async move { refresher.recover().await });
    }

    /// Counts, aside, the rows that wait for a rotation.
    pub(super) fn count_rows(&self) {
        let rotations = Arc::clone(&self.rotations);
        self.shared.spawn(async move { rotations.count().await });
    }

    /// Believes other callers and web apps and knows other third parties from the next call on.
    pub(super) fn reload(
        &self,
        settings: Option<(outbound::Config, connect::Config)>,
        verifier: Arc<Verifier>,
        catalog: Catalog,
    ) {
        let (config, shown) = settings.unzip();
        self.keys.store(Arc::clone(&verifier));
        self.callers.store(Arc::new(self.callers.load().reloaded(Arc::clone(&verifier), config)));
        self.browsers.store(Arc::new(self.browsers.load().reloaded(Arc::clone(&verifier), None)));
        if let Some(shown) = &shown {
            self.api.admit_browsers(browsers(shown));
        }
        self.connect.reload(verifier, shown);
        self.catalog.store(Arc::new(catalog));
    }

    /// Keeps idle connections alive, and counts all, until Sidegate stops.
    pub(super) async fn go_round(self: Arc<Self>, stop: CancellationToken) {
        Arc::clone(&self.refresher).go_round(stop).await;
    }

    /// What was counted last.
    pub(super) fn census(&self) -> Arc<Census> {
        self.refresher.census()
    }

    /// Lets no browser that waits for an event hold up a stop.
    pub(super) async fn leave(self: Arc<Self>, stop: CancellationToken) {
        stop.cancelled().await;
        self.connect.leave();
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

/// The web apps that are listed, and our own pages.
fn browsers(config: &connect::Config) -> Browsers {
    let own = config.public_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    let own = own.and_then(|url| HeaderValue::try_from(url.origin().ascii_serialization()).ok());
    Browsers::new(config.origins.iter().cloned().chain(own).collect(), config.public_url.clone())
}

/// The API on a listener: who asks is found out here, the rest runs on the shared runtime.
struct ApiDoor {
    api: Arc<Api>,
    callers: SharedCallers,
    shared: Handle,
}

impl ApiDoor {
    async fn answer(
        &self,
        request: Request<Body>,
        arrival: Arrival,
        refuse: impl FnOnce(&Request<Body>, &outbound::rejection::Rejection) -> Response<Body>,
    ) -> Response<Body> {
        let reader = match self.api.greet(&request, arrival) {
            Ok(reader) => reader,
            Err(answer) => return *answer,
        };
        let mut answer = match self.callers.load_full().identify(request.headers()).await {
            Err(rejection) => refuse(&request, &rejection),
            Ok(caller) => {
                let api = Arc::clone(&self.api);
                let answer = self.shared.spawn(async move { api.handle(request, caller, arrival).await });
                answer.await.unwrap_or_else(|_| crate::api::rejection::Rejection::Internal.into_response())
            }
        };
        reader.mark(answer.headers_mut());
        answer
    }
}

/// The outbound listener of one worker: calls stay on the worker.
pub(super) struct ServiceListener {
    outbound: Outbound,
    api: ApiDoor,
}

impl Handler for ServiceListener {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        if self.outbound.is_mine(request.uri().path()) {
            return self.outbound.handle(request, arrival).await;
        }
        let refuse = |request: &_, rejection: &_| self.outbound.refuse(request, arrival, rejection);
        self.api.answer(request, arrival, refuse).await
    }
}

/// The connect listener of one worker: it has no credential proxy, and believes nothing but tokens.
pub(super) struct BrowserListener {
    connect: Arc<Connect>,
    api: ApiDoor,
    unknown: Unknown,
}

impl Handler for BrowserListener {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        if !Connect::is_mine(request.uri().path()) {
            let refuse = |request: &_, rejection: &_| self.unknown.refuse(request, arrival, rejection);
            return self.api.answer(request, arrival, refuse).await;
        }
        let connect = Arc::clone(&self.connect);
        let answer = self.api.shared.spawn(async move { connect.handle(request, arrival).await });
        answer.await.unwrap_or_else(|_| crate::api::rejection::Rejection::Internal.into_response())
    }
}
