//! What the refresher's tests stand on: a token server, a store with one connection, a refresher between them.
//! The connection's token has ended, so that the first caller needs a refresh.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::clock::ManualClock;
use crate::clock::Timestamp;
use crate::connector::{App, Connections, Connector, Hosts, RefreshSettings, Rotation};
use crate::document;
use crate::formula::Value;
use crate::method::testing::methods;
use crate::names::ConnectionId;
use crate::oauth::hostile_server::{Answer, HostileServer, json};
use crate::refresh::*;
use crate::secret::Secret;
use crate::store::faulty_disk::Disk;
use crate::store::redb::Replaced;
use crate::store::testing::{self, Folder};
use crate::store::{Connection, Filter};
use crate::telemetry::AccessLog;

pub(in crate::refresh) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(in crate::refresh) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const CALLERS: usize = 500;

/// A connection of the app that the scene's integration has.
pub(in crate::refresh) fn connection(id: &str, now: Timestamp) -> Connection {
    Connection { app: Some("own".into()), ..testing::connection(id, now) }
}

pub(in crate::refresh) fn opened(id: &str, now: Timestamp) -> Opened {
    Opened { connection: Arc::new(connection(id, now)), secrets: Arc::new(Secret::new(secrets(json!({})))) }
}

pub(super) fn secrets(credentials: serde_json::Value) -> Secrets {
    let empty = || Value::from(json!({}));
    Secrets { credentials: credentials.into(), input: empty(), connector_parameters: empty() }
}

/// A token server, a store with one connection whose token has ended, and a refresher between them.
pub(in crate::refresh) struct Scene {
    pub(in crate::refresh) server: HostileServer,
    pub(in crate::refresh) clock: Arc<ManualClock>,
    pub(super) store: Store,
    pub(in crate::refresh) telemetry: Arc<Telemetry>,
    pub(in crate::refresh) refresher: Arc<Refresher>,
    id: ConnectionId,
    pub(super) disk: Arc<Disk>,
    pub(super) folder: Folder,
}

/// The credentials that a scene's connection begins with.
pub(super) fn first_credentials() -> serde_json::Value {
    json!({"access_token": "planted-a1", "refresh_token": "planted-r1", "kept": "k"})
}

pub(in crate::refresh) fn second_tokens() -> Answer {
    json(r#"{"access_token":"planted-a2","refresh_token":"planted-r2","expires_in":3600}"#)
}

impl Scene {
    pub(in crate::refresh) async fn start(answer: Answer) -> Self {
        Self::with(answer, "", first_credentials()).await
    }

    /// `more`: further lines of getOAuthConfig's mapping.
    pub(super) async fn with(answer: Answer, more: &str, credentials: serde_json::Value) -> Self {
        Self::of(answer, more, credentials, Rotation::Strict).await
    }

    /// `rotation`: what the integration's file says of the provider.
    pub(super) async fn rotating(answer: Answer, rotation: Rotation) -> Self {
        Self::of(answer, "", first_credentials(), rotation).await
    }

    async fn of(answer: Answer, more: &str, credentials: serde_json::Value, rotation: Rotation) -> Self {
        crate::http::tls::install_crypto();
        let server = HostileServer::start(answer).await;
        let clock = Arc::new(ManualClock::at(NOW));
        let folder = Folder::new();
        let disk = Disk::under(&folder.file());
        let store = folder.store(clock.clone());
        let mut ended = connection("c1", NOW);
        ended.expires_at = Some(NOW);
        ended.refresh_at = Some(NOW.minus(HOUR));
        store.insert(ended, Secret::new(secrets(credentials)), false).await.unwrap();
        let telemetry = Telemetry::new(AccessLog::off(), clock.clone());
        let integration = Integration { refresh: rotating(rotation), ..integration_at(&server.url(), more) };
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(vec![integration])));
        let refresher = refresher(catalog, &store, &clock, &telemetry);
        Self { server, clock, store, telemetry, refresher, id: "c1".into(), disk, folder }
    }

    /// A further refresher on the same store, as another replica has it.
    pub(super) fn replica(&self) -> Arc<Refresher> {
        refresher(Arc::clone(&self.refresher.catalog), &self.store, &self.clock, &self.telemetry)
    }

    /// A further connection, whose token has ended too.
    pub(in crate::refresh) async fn another(&self, id: &str) -> Opened {
        let ended = Connection { expires_at: Some(NOW), ..connection(id, NOW) };
        self.store.insert(ended, Secret::new(secrets(first_credentials())), false).await.unwrap()
    }

    /// Asks for fresh credentials of each connection that has ended: why there are none.
    pub(super) async fn codes(&self) -> Vec<&'static str> {
        let all = Filter { workspace: Some("acme".into()), ..Filter::default() };
        let mut codes = Vec::new();
        for connection in self.store.list(all).await.unwrap().0 {
            let opened = self.store.open_secrets(&connection.id).await.unwrap().unwrap();
            codes.extend(self.refresher.fresh(opened).await.err().map(|error| error.code()));
        }
        codes
    }

    /// The app gets another secret.
    pub(super) fn configure_anew(&self, secret: &str) {
        let mut integration = integration_at(&self.server.url(), "");
        integration.apps[0].client_secret = Some(Secret::new(secret.to_owned()));
        self.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
    }

    /// The integration's file says this of refreshing.
    pub(in crate::refresh) fn set(&self, refresh: RefreshSettings) {
        let integration = Integration { refresh, ..integration_at(&self.server.url(), "") };
        self.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
    }

    /// Another process with the same store: it remembers nothing.
    pub(in crate::refresh) fn restarted(self) -> Self {
        Self { refresher: self.replica(), ..self }
    }

    /// The process has ended, and another one opens the same file, on a disk that is sound.
    pub(super) fn reopened(self) -> Self {
        let Self { server, clock, store, telemetry, refresher, id, disk, folder } = self;
        let catalog = Arc::clone(&refresher.catalog);
        drop((store, telemetry, refresher));
        disk.heals();
        let (store, telemetry) =
            (folder.store(clock.clone()), Telemetry::new(AccessLog::off(), clock.clone()));
        let refresher = self::refresher(catalog, &store, &clock, &telemetry);
        Self { server, clock, store, telemetry, refresher, id, disk, folder }
    }

    /// When the row says that somebody may ask again.
    pub(super) async fn next_try(&self) -> Timestamp {
        let opened = self.opened().await;
        opened.connection.refresh_failure().expect("a failure").next_try.expect("another try")
    }

    pub(super) async fn opened(&self) -> Opened {
        self.store.open_secrets(&self.id).await.unwrap().expect("the connection")
    }

    pub(super) async fn stored(&self) -> serde_json::Value {
        credentials(&self.opened().await)
    }

    pub(super) async fn fresh(&self) -> Result<Opened, RefreshError> {
        self.refresher.fresh(self.opened().await).await
    }

    pub(in crate::refresh) async fn code(&self) -> &'static str {
        let error = self.fresh().await.expect_err("an error");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
        error.code()
    }

    /// Many callers at once, each with the same credentials in hand.
    pub(super) async fn crowd<F>(
        &self,
        each: impl Fn(Arc<Refresher>, Opened) -> F,
    ) -> Vec<Result<Opened, RefreshError>>
    where
        F: Future<Output = Result<Opened, RefreshError>> + Send + 'static,
    {
        let seen = self.opened().await;
        let callers: JoinSet<_> =
            (0..CALLERS).map(|_| each(Arc::clone(&self.refresher), seen.clone())).collect();
        callers.join_all().await
    }

    /// Another writer changes the open part.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Connection) + Send + 'static) {
        let seen = self.opened().await;
        let written = self.store.update(&seen.connection, change).await.unwrap();
        assert!(matches!(written, Replaced::Stored(_)), "{written:?}");
    }

    pub(super) async fn reconnect(&self, credentials: serde_json::Value) -> Opened {
        let seen = self.opened().await;
        let ends = self.clock.now().plus(HOUR);
        let change = move |connection: &mut Connection| {
            connection.health = Health::Ready;
            connection.expires_at = Some(ends);
        };
        let secrets = Secret::new(secrets(credentials));
        match self.store.replace(&seen.connection, secrets, change).await.unwrap() {
            Replaced::Stored(opened) => opened,
            Replaced::Overtaken(_) => panic!("somebody else wrote"),
        }
    }
}

pub(super) fn credentials(opened: &Opened) -> serde_json::Value {
    (&opened.secrets.expose().credentials).into()
}

pub(super) fn access_token(opened: &Opened) -> String {
    credentials(opened)["access_token"].as_str().unwrap().to_owned()
}

/// The integration of a scene: its token endpoint, and further lines of getOAuthConfig's mapping.
pub(in crate::refresh) fn integration_at(token_uri: &str, more: &str) -> Integration {
    let spec = format!(
        "name: CRM
auth:
  type: oauth2
  getOAuthConfig:
    type: mapping
    mapping:
      clientId: {{$var: connectorParameters.clientId}}
      clientSecret: {{$var: connectorParameters.clientSecret}}
      authorizeUri: {token_uri}
      tokenUri: {token_uri}
      clientAuthLocation: body
{more}
  makeApiClient: {{type: mapping, mapping: {{baseUri: 'https://api.example.com'}}}}
"
    );
    let node = document::parse("spec.yml", &spec).unwrap();
    let (connector, _) = Connector::from_node("crm".into(), "spec.yml", &node).unwrap();
    let client_secret = Some(Secret::new(String::from("planted-client-secret")));
    Integration {
        key: "crm".into(),
        connector,
        workspaces: Vec::new(),
        parameters: Secret::new(Value::from(json!({}))),
        options: [].into(),
        scopes: None,
        apps: vec![App { id: "own".into(), client_id: "client".into(), client_secret, private_key: None }],
        enabled: true,
        hosts: Hosts::OfBaseUri,
        connections: Connections::One,
        refresh: RefreshSettings::default(),
        allow_private: true,
        allow_plain: true,
        upgrade_idle: None,
        route: None,
        oauth_callback: None,
        credentials_schema: None,
        token_endpoint: Arc::default(),
    }
}

pub(super) fn rotating(rotation: Rotation) -> RefreshSettings {
    RefreshSettings { rotation, ..RefreshSettings::default() }
}

/// One that nobody exchanges with.
pub(in crate::refresh) fn integration() -> Arc<Integration> {
    Arc::new(integration_at("https://auth.example.com/token", ""))
}

pub(super) fn refresher(
    catalog: Arc<ArcSwap<Catalog>>,
    store: &Store,
    clock: &Arc<ManualClock>,
    telemetry: &Arc<Telemetry>,
) -> Arc<Refresher> {
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let tokens =
        TokenEndpoint::new(Duration::from_secs(60), Arc::new(tls), crate::http::egress::Names::default());
    let (telemetry, runtime) = (Arc::clone(telemetry), Handle::current());
    Refresher::new(
        catalog,
        store.clone(),
        Sources { tokens, methods: methods() },
        clock.clone(),
        telemetry,
        runtime,
    )
}
