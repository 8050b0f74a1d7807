//! What the refresher's tests stand on: a token server, a store with one connection, a refresher between them.
//! The connection's token has ended, so that the first caller needs a refresh.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use crate::clock::ManualClock;
use crate::clock::Timestamp;
use crate::connector::{App, Connections, Connector, Hosts};
use crate::document;
use crate::formula::Value;
use crate::names::{ConnectionId, Owner, Version};
use crate::oauth::hostile_server::{Answer, HostileServer, json};
use crate::refresh::*;
use crate::seal::{Keyring, keyring::SealingKey};
use crate::secret::Secret;
use crate::store::redb::Replaced;
use crate::store::{Config, Connection};
use crate::telemetry::AccessLog;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const CALLERS: usize = 500;

/// An open connection as it is before it is stored.
pub(in crate::refresh) fn connection(id: &str, now: Timestamp) -> Connection {
    Connection {
        id: ConnectionId::from(id),
        owner: Owner { workspace: "acme".into(), customer: "ada".into() },
        integration: "crm".into(),
        key: None,
        name: "Ada".into(),
        app: Some("own".into()),
        version: Version::FIRST,
        health: Health::Ready,
        pinned_origin: None,
        expires_at: None,
        refresh_at: None,
        refreshed_at: None,
        granted_scopes: None,
        is_test: false,
        meta: None,
        created_at: now,
        updated_at: now,
        archived_at: None,
    }
}

pub(in crate::refresh) fn opened(id: &str, now: Timestamp) -> Opened {
    Opened { connection: Arc::new(connection(id, now)), secrets: Arc::new(Secret::new(secrets(json!({})))) }
}

pub(super) fn secrets(credentials: serde_json::Value) -> Secrets {
    let empty = || Value::from(json!({}));
    Secrets { credentials: credentials.into(), input: empty(), connector_parameters: empty() }
}

/// A token server, a store with one connection whose token has ended, and a refresher between them.
pub(super) struct Scene {
    pub(super) server: HostileServer,
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: Store,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) refresher: Arc<Refresher>,
    id: ConnectionId,
    _folder: Folder,
}

/// The credentials that a scene's connection begins with.
pub(super) fn first_credentials() -> serde_json::Value {
    json!({"access_token": "planted-a1", "refresh_token": "planted-r1", "kept": "k"})
}

pub(super) fn second_tokens() -> Answer {
    json(r#"{"access_token":"planted-a2","refresh_token":"planted-r2","expires_in":3600}"#)
}

impl Scene {
    pub(super) async fn start(answer: Answer) -> Self {
        Self::with(answer, "", first_credentials()).await
    }

    /// `more`: further lines of getOAuthConfig's mapping.
    pub(super) async fn with(answer: Answer, more: &str, credentials: serde_json::Value) -> Self {
        crate::http::tls::install_crypto();
        let server = HostileServer::start(answer).await;
        let clock = Arc::new(ManualClock::at(NOW));
        let folder = Folder::new();
        let store = open_store(&folder, &clock);
        let mut ended = connection("c1", NOW);
        ended.expires_at = Some(NOW);
        ended.refresh_at = Some(NOW.minus(HOUR));
        store.insert(ended, Secret::new(secrets(credentials)), false).await.unwrap();
        let telemetry = Telemetry::new(AccessLog::off(), clock.clone());
        let refresher = refresher(&server.url(), more, &store, &clock, &telemetry);
        Self { server, clock, store, telemetry, refresher, id: "c1".into(), _folder: folder }
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

    pub(super) async fn code(&self) -> &'static str {
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

    pub(super) async fn reconnect(&self, credentials: serde_json::Value) -> Opened {
        let seen = self.opened().await;
        let mut connection = Connection::clone(&seen.connection);
        connection.health = Health::Ready;
        connection.expires_at = Some(self.clock.now().plus(HOUR));
        let secrets = Secret::new(secrets(credentials));
        match self.store.replace(seen.connection.version, connection, secrets).await.unwrap() {
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

fn open_store(folder: &Folder, clock: &Arc<ManualClock>) -> Store {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
    let keyring = Keyring::new(&[SealingKey { id: "k1".into(), key: Secret::new(key) }]).unwrap();
    let config = Config { path: folder.0.join("store.redb"), cached_credentials: 100 };
    Store::open(&config, keyring, clock.clone()).unwrap()
}

fn refresher(
    token_uri: &str,
    more: &str,
    store: &Store,
    clock: &Arc<ManualClock>,
    telemetry: &Arc<Telemetry>,
) -> Arc<Refresher> {
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
    let integration = Integration {
        key: "crm".into(),
        connector,
        workspaces: Vec::new(),
        parameters: Secret::new(Value::from(json!({}))),
        scopes: None,
        apps: vec![App { id: "own".into(), client_id: "client".into(), client_secret }],
        enabled: true,
        hosts: Hosts::OfBaseUri,
        connections: Connections::One,
        allow_private: true,
        allow_plain: true,
        route: None,
    };
    let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(vec![integration])));
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let tokens = TokenEndpoint::new(Duration::from_secs(10), Arc::new(tls));
    Refresher::new(catalog, store.clone(), tokens, clock.clone(), Arc::clone(telemetry), Handle::current())
}

/// A folder of its own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("sidegate-refresh-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
