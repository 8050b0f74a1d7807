//! API clients that are made once for all calls with the same credentials.
//! Never outlives them: a client is used only for the version, the app, the option and the integration that it was made from.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::{CallError, open};
use crate::connector::{ApiClient, Integration};
use crate::inject::echo::Echo;
use crate::inject::target::Base;
use crate::method::Methods;
use crate::names::{AppId, ConnectionId, Version};
use crate::store::{Opened, Store};

/// How many connections' clients are kept, and how long after their last use. They hold what is put into requests, and
/// wipe it when they go.
const KEPT: u64 = 1000;
const KEPT_FOR: Duration = Duration::from_secs(600);

/// An API client, and what follows from it for each of its calls.
pub(super) struct Prepared {
    pub(super) client: ApiClient,
    pub(super) base: Base,
    pub(super) echo: Echo,
}

/// A client, and what it was made from.
struct Made {
    version: Version,
    app: Option<AppId>,
    auth_option: Option<String>,
    /// A reload makes another, even of the same file.
    integration: Arc<Integration>,
    prepared: Arc<Prepared>,
}

/// The clients of the connections that were called last.
pub(super) struct Clients(Cache<ConnectionId, Arc<Made>>);

impl Clients {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(KEPT).time_to_idle(KEPT_FOR).build())
    }

    /// The client for this version of the connection's credentials.
    pub(super) async fn get(
        &self,
        (methods, store): (&Methods, &Store),
        integration: &Arc<Integration>,
        opened: &Opened,
    ) -> Result<Arc<Prepared>, CallError> {
        let connection = &opened.connection;
        let fits = |made: &Arc<Made>| {
            made.version == connection.version
                && made.app == connection.app
                && made.auth_option == connection.auth_option
                && Arc::ptr_eq(&made.integration, integration)
        };
        if let Some(made) = self.0.get(&connection.id).filter(fits) {
            return Ok(Arc::clone(&made.prepared));
        }
        let wants_customer = open::wants_customer(integration, opened);
        let customer = match wants_customer {
            true => store.customer(&connection.owner).await?,
            false => None,
        };
        let subject = open::subject(integration, opened, customer.as_ref())?;
        let client = methods.api_client(&subject).await.map_err(CallError::ApiClient)?;
        let base = Base::parse(&client.base_uri)?;
        let prepared = Arc::new(Prepared { base, echo: Echo::of(&client), client });
        if wants_customer {
            // It holds what was true a moment ago: a token that ends, fields that another token changes.
            return Ok(prepared);
        }
        let made = Made {
            version: connection.version,
            app: connection.app.clone(),
            auth_option: connection.auth_option.clone(),
            integration: Arc::clone(integration),
            prepared: Arc::clone(&prepared),
        };
        self.0.insert(connection.id.clone(), Arc::new(made));
        Ok(prepared)
    }
}
