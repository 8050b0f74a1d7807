//! What this room's tests stand on: a real store in a folder of its own, a catalog, callers with real tokens.
//! Never part of a build.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::runtime::Handle;

use super::super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::connector::{App, Connections, Connector, Hosts, Integration, Schema};
use crate::document;
use crate::formula::Value;
use crate::http::body::{Collected, collect_within};
use crate::method::testing::methods;
use crate::oauth::TokenEndpoint;
use crate::oauth::hostile_server::{Answer, HostileServer};
use crate::refresh::Sources;
use crate::secret::Secret;
use crate::store::testing::Folder;
use crate::telemetry::AccessLog;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};
use crate::token::{self, Policy, Verifier, WorkspaceConfig};

pub(in crate::api) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECRET: &str = "a workspace secret that is long enough";

/// An answer's body.
pub(in crate::api) async fn json(answer: Response<Body>) -> serde_json::Value {
    let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), 1 << 24).await else {
        panic!("the answer is whole")
    };
    serde_json::from_slice(&text).unwrap()
}

/// What came back.
pub(in crate::api) struct Told {
    pub(in crate::api) status: StatusCode,
    /// The code, where it is a rejection.
    pub(in crate::api) code: String,
    pub(in crate::api) headers: http::HeaderMap,
    pub(in crate::api) body: serde_json::Value,
}

/// An API on a real store.
pub(in crate::api) struct Scene {
    pub(in crate::api) api: Api,
    pub(in crate::api) clock: Arc<ManualClock>,
    pub(in crate::api) log: Arc<Mutex<Vec<u8>>>,
    pub(in crate::api) server: HostileServer,
    folder: Folder,
}

impl Scene {
    /// `answer`: what the token endpoint of the oauth2 integrations says.
    pub(in crate::api) async fn with(answer: Answer) -> Self {
        crate::http::tls::install_crypto();
        let server = HostileServer::start(answer).await;
        let clock = Arc::new(ManualClock::at(NOW));
        let folder = Folder::new();
        let store = folder.store(clock.clone());
        let log = Arc::default();
        let telemetry = Telemetry::new(AccessLog::to_buffer(Arc::clone(&log)), clock.clone());
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(integrations(&server.url()))));
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let tokens =
            TokenEndpoint::new(Duration::from_secs(10), Arc::new(tls), crate::http::egress::Names::default());
        let refresher = Refresher::new(
            Arc::clone(&catalog),
            store.clone(),
            Sources { tokens, methods: methods() },
            clock.clone(),
            Arc::clone(&telemetry),
            Handle::current(),
        );
        let api = Api::new(catalog, store, refresher, methods(), clock.clone(), telemetry);
        Self { api, clock, log, server, folder }
    }

    pub(in crate::api) async fn start() -> Self {
        Self::with(crate::oauth::hostile_server::json(r#"{"access_token":"planted-a2","expires_in":3600}"#))
            .await
    }

    /// A caller with a token of these claims.
    pub(in crate::api) fn caller(&self, claims: &serde_json::Value) -> Caller {
        let mut claims = claims.as_object().unwrap().clone();
        claims.entry("iss").or_insert("acme".into());
        let key = SigningKey::Secret(SECRET.to_owned().into());
        let token = mint(&claims, Algorithm::HS256, &key, None).unwrap();
        let workspaces = ["acme", "globex"].map(|name| WorkspaceConfig {
            secret: Some(SECRET.to_owned().into()),
            ..WorkspaceConfig::named(name)
        });
        let config =
            token::Config { workspaces: workspaces.into(), cache_entries: 0, ..token::Config::default() };
        let (verifier, _) = Verifier::new(config, self.clock.clone()).unwrap();
        Caller::from_token(verifier.verify(&token, &Policy::default()).unwrap())
    }

    /// The customer ada.
    pub(in crate::api) fn ada(&self) -> Caller {
        self.caller(&serde_json::json!({"id": "ada"}))
    }

    /// Asks with a body in text; an empty one is none.
    pub(in crate::api) async fn ask(&self, caller: &Caller, line: &str, body: &str) -> Told {
        let (method, uri) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri).body(Body::full(body.to_owned())).unwrap();
        let arrival = Arrival { peer: None, tls: false, misdirected: false, at: Instant::now() };
        let answer = self.api.handle(request, caller.clone(), arrival).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let code = headers.get("x-sidegate-rejection").map(|code| code.to_str().unwrap().to_owned());
        Told { status, code: code.unwrap_or_default(), headers, body: json(answer).await }
    }

    /// Asks for what is answered with 200.
    pub(in crate::api) async fn ok(&self, caller: &Caller, line: &str, body: &str) -> serde_json::Value {
        let told = self.ask(caller, line, body).await;
        assert_eq!(told.status, StatusCode::OK, "{line}: {}", told.body);
        told.body
    }

    /// Makes a connection of ada's and gives its id.
    pub(in crate::api) async fn create(&self, body: &serde_json::Value) -> String {
        let created = self.ok(&self.ada(), "POST /connections", &body.to_string()).await;
        created["id"].as_str().unwrap().to_owned()
    }

    /// Whether `text` stands in the store's file or in the access log.
    pub(in crate::api) fn leaks(&self, text: &str) -> bool {
        let stored = std::fs::read(self.folder.file()).unwrap();
        let logged = self.log.lock().unwrap().clone();
        [stored, logged].iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }
}

/// `keys` and `many` take API keys; `typed` makes credentials from what is typed in; `pinned` has its base URI typed in;
/// `oauth` and `machine` are OAuth2, and so is `tested`, whose test asks where tokens come from; `off` and `foreign` are out of acme's reach; `internal-api` serves globex.
fn integrations(token_uri: &str) -> Vec<Integration> {
    let keys = "type: client-credentials\n  makeApiClient: {type: mapping, mapping: {baseUri: 'https://api.example.com'}}\n";
    let typed = format!(
        "{keys}  getCredentialsFromConnectionParameters: {{type: mapping, mapping: {{token: {{$var: input.typed}}}}}}\n"
    );
    let pinned = "type: client-credentials\n  makeApiClient: {type: mapping, mapping: {baseUri: {$var: credentials.url}}}\n";
    let oauth = |grant: &str| {
        format!(
            "type: oauth2\n  getOAuthConfig: {{type: mapping, mapping: {{clientId: c, clientSecret: s, \
             authorizeUri: '{token_uri}', tokenUri: '{token_uri}'{grant}}}}}\n  \
             makeApiClient: {{type: mapping, mapping: {{baseUri: 'https://api.example.com'}}}}\n"
        )
    };
    let tested = oauth("").replace("https://api.example.com", token_uri)
        + "  test: {type: rest-api-mapping, mapping: {path: /me}}\n";
    let many = |it: Integration| Integration { connections: Connections::Many, ..it };
    vec![
        integration("keys", keys),
        many(integration("many", keys)),
        integration("typed", &typed),
        Integration { hosts: Hosts::Connection, ..integration("pinned", pinned) },
        integration("oauth", &oauth("")),
        integration("machine", &oauth(", grantType: client_credentials")),
        integration("tested", &tested),
        Integration { enabled: false, ..integration("off", keys) },
        Integration { workspaces: vec!["globex".into()], ..integration("foreign", keys) },
        Integration {
            workspaces: vec!["globex".into()],
            credentials_schema: Some(Schema::new(&own_api_schema().into()).unwrap()),
            ..integration("internal-api", keys)
        },
    ]
}

fn own_api_schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "required": ["apiKey"],
        "properties": {"apiKey": {"type": "string"}, "region": {"enum": ["eu", "us"]}},
    })
}

pub(in crate::api) fn integration(key: &str, auth: &str) -> Integration {
    let spec = format!("name: The {key}\nauth:\n  {auth}");
    let node = document::parse("spec.yml", &spec).unwrap();
    let (connector, _) = Connector::from_node(key.into(), "spec.yml", &node).unwrap();
    Integration {
        key: key.into(),
        connector,
        workspaces: Vec::new(),
        parameters: Secret::new(Value::empty_object()),
        options: [].into(),
        scopes: None,
        apps: vec![App { id: "own".into(), client_id: "c".into(), client_secret: None, private_key: None }],
        enabled: true,
        hosts: Hosts::OfBaseUri,
        connections: Connections::One,
        refresh: crate::connector::RefreshSettings::default(),
        allow_private: auth.contains("oauth2"),
        allow_plain: auth.contains("oauth2"),
        upgrade_idle: None,
        route: None,
        oauth_callback: None,
        credentials_schema: None,
        token_endpoint: Arc::default(),
    }
}
