//! What the tests of this door stand on: a third party that is its own token server, a store with a connection, and the
//! door between them on a real socket. Everything is on loopback, with both egress doors open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::call::Calls;
use crate::clock::{Clock, SystemClock};
use crate::connector::{App, Catalog, Connections, Connector, Hosts, Integration, RefreshSettings};
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::http::client::Client;
use crate::http::egress::Names;
use crate::http::listener::{self, Address, Arrival, Handler, Limits};
use crate::method::testing::methods;
use crate::names::{ConnectionId, Owner};
use crate::oauth::TokenEndpoint;
use crate::outbound::caller::Callers;
use crate::outbound::statuses::Statuses;
use crate::outbound::{Config, Outbound};
use crate::refresh::Refresher;
use crate::refresh::Sources;
use crate::secret::Secret;
use crate::store::testing::{self, Folder};
use crate::store::{Connection, Health, Secrets, Store};
use crate::telemetry::{AccessLog, Telemetry};
use crate::token::{self, Verifier};

pub(super) const REPLAY_LIMIT: usize = 64 * 1024;
const SECOND_TOKENS: &str = r#"{"access_token":"planted-a2","refresh_token":"planted-r2","expires_in":3600}"#;
const THIRD_TOKENS: &str = r#"{"access_token":"planted-a3","refresh_token":"planted-r3","expires_in":3600}"#;

/// What the third party saw of one request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Takes the token of the second generation only, or after [`Scene::revoke`] of the third, hands it out at `/token`, and
/// answers as the path says.
#[derive(Default)]
pub(super) struct ThirdParty {
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) exchanges: AtomicU64,
    pub(super) is_revoked: AtomicBool,
    /// What `/token` answers; a new token, unless set.
    pub(super) token_answer: Mutex<Option<(StatusCode, &'static str)>>,
}

impl Handler for ThirdParty {
    async fn handle(&self, request: Request<Body>, _arrival: Arrival) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        if head.uri.path() == "/v1/talk" {
            let heard = body.frame().await.unwrap().unwrap().into_data().unwrap();
            return Response::new(Body::full(heard));
        }
        let Ok(Collected::Whole(body)) = collect_within(body, 10 << 20).await else {
            return answer(StatusCode::BAD_REQUEST, "");
        };
        if head.uri.path() == "/token" {
            self.exchanges.fetch_add(1, Ordering::SeqCst);
            let new = if self.is_revoked.load(Ordering::SeqCst) { THIRD_TOKENS } else { SECOND_TOKENS };
            let (status, body) = self.token_answer.lock().unwrap().unwrap_or((StatusCode::OK, new));
            return answer(status, body);
        }
        let call = Call { target: head.uri.to_string(), headers: head.headers, body };
        let good =
            if self.is_revoked.load(Ordering::SeqCst) { "Bearer planted-a3" } else { "Bearer planted-a2" };
        let fresh = call.header("authorization") == Some(good);
        self.calls.lock().unwrap().push(call);
        if let Some(status) = head.uri.path().strip_prefix("/v1/expired-").filter(|_| !fresh) {
            let status = status.parse().unwrap();
            return with_header(answer(status, r#"{"error":"expired"}"#), "content-type", "application/json");
        }
        match head.uri.path() {
            "/v1/redirect" => {
                with_header(answer(StatusCode::FOUND, ""), "location", "https://elsewhere.example/")
            }
            "/v1/defunct" => with_header(answer(StatusCode::FORBIDDEN, "gone"), "x-gone", "yes"),
            "/v1/scope" => {
                let challenge = r#"Bearer error="insufficient_scope""#;
                with_header(answer(StatusCode::UNAUTHORIZED, "no scope"), "www-authenticate", challenge)
            }
            "/v1/always-401" => answer(StatusCode::UNAUTHORIZED, "never"),
            "/v1/spoof" => with_header(answer(StatusCode::OK, ""), "x-sidegate-rejection", "no_caller"),
            _ if fresh => answer(StatusCode::OK, "welcome"),
            _ => answer(StatusCode::UNAUTHORIZED, "refused"),
        }
    }
}

fn answer(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response
}

fn with_header(mut response: Response<Body>, name: &'static str, value: &'static str) -> Response<Body> {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

/// The door as a listener's handler.
struct Door(Outbound);

impl Handler for Door {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        self.0.handle(request, arrival).await
    }
}

/// What came back, read to the end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(super) struct Scene {
    pub(super) third_party: Arc<ThirdParty>,
    pub(super) store: Store,
    pub(super) log: Arc<Mutex<Vec<u8>>>,
    /// Of the third party.
    pub(super) origin: String,
    address: String,
    stop: CancellationToken,
    _folder: Folder,
}

impl Scene {
    /// One connection, `c1`, of the customer `ada` in `acme`.
    pub(super) async fn start() -> Self {
        Self::with(RefreshSettings::default(), Statuses::default()).await
    }

    pub(super) async fn with(refresh: RefreshSettings, statuses: Statuses) -> Self {
        crate::http::tls::install_crypto();
        let (clock, stop): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), CancellationToken::new());
        let third_party = Arc::new(ThirdParty::default());
        let origin = format!("http://{}", serve(Arc::clone(&third_party), &stop));
        let folder = Folder::new();
        let store = folder.store(Arc::clone(&clock));
        store.insert(connection("c1", "ada", &clock), first_secrets(), false).await.unwrap();
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(vec![Integration {
            refresh,
            ..integration(&origin)
        }])));
        let log = Arc::default();
        let telemetry = Telemetry::new(AccessLog::to_buffer(Arc::clone(&log)), Arc::clone(&clock));
        let tls = Arc::new(no_roots());
        let refresher = Refresher::new(
            Arc::clone(&catalog),
            store.clone(),
            Sources {
                tokens: TokenEndpoint::new(Duration::from_secs(10), Arc::clone(&tls), Names::default()),
                methods: methods(),
            },
            Arc::clone(&clock),
            Arc::clone(&telemetry),
            Handle::current(),
        );
        let client =
            Arc::new(Client::new(tls, Names::default(), Duration::from_secs(5), Duration::from_secs(10)));
        let calls = Calls::new(store.clone(), refresher, methods(), client, Arc::clone(&clock), REPLAY_LIMIT);
        let keys = token::Config { workspaces: Vec::new(), cache_entries: 0, ..token::Config::default() };
        let Ok((verifier, _)) = Verifier::new(keys, clock) else { panic!("no keys, no complaints") };
        let config = Config { trust_caller: true, service_secret: None };
        let callers = Arc::new(ArcSwap::from_pointee(Callers::new(config, Arc::new(verifier))));
        let outbound = Outbound::new(callers, catalog, store.clone(), calls, Arc::new(statuses), telemetry);
        let address = serve(Arc::new(Door(outbound)), &stop);
        Self { third_party, store, log, origin, address, stop, _folder: folder }
    }

    /// A second connection of the integration, for this customer.
    pub(super) async fn connect(&self, id: &str, customer: &str) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        self.store.insert(connection(id, customer, &clock), first_secrets(), false).await.unwrap();
    }

    /// A connection of another integration, with a key of its own.
    pub(super) async fn connect_as(&self, id: &str, customer: &str, integration: &str, key: &str) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let other = connection(id, customer, &clock);
        let other = Connection { integration: integration.into(), key: Some(key.into()), ..other };
        self.store.insert(other, first_secrets(), false).await.unwrap();
    }

    /// As the customer `ada`. The target goes onto the wire as it is.
    pub(super) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], b"").await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: sidegate\r\nConnection: close\r\nContent-Length: {}\r\n\
             X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: ada\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.say(&[head.as_bytes(), b"\r\n", body].concat()).await
    }

    /// As the customer `ada`, a body whose length is not said beforehand; `rest` is what is sent of it.
    pub(super) async fn send_in_chunks(&self, target: &str, rest: &str) -> Reply {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: sidegate\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: ada\r\n\r\n{rest}"
        );
        self.say(head.as_bytes()).await
    }

    /// What is answered to these bytes, up to the end of the connection.
    async fn say(&self, bytes: &[u8]) -> Reply {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").expect("a response head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.third_party.calls.lock().unwrap().clone()
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.third_party.exchanges.load(Ordering::SeqCst)
    }

    pub(super) fn token_endpoint_answers(&self, status: StatusCode, body: &'static str) {
        *self.third_party.token_answer.lock().unwrap() = Some((status, body));
    }

    /// The token of the second generation ends early.
    pub(super) fn revoke(&self) {
        self.third_party.is_revoked.store(true, Ordering::SeqCst);
    }

    pub(super) async fn health(&self) -> Health {
        self.store.connection(&ConnectionId::from("c1")).await.unwrap().expect("the connection").health
    }

    pub(super) fn log(&self) -> String {
        String::from_utf8(self.log.lock().unwrap().clone()).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Listens on a free port of loopback; the address.
fn serve(handler: Arc<impl Handler>, stop: &CancellationToken) -> String {
    let address = Address::Tcp(([127, 0, 0, 1], 0).into());
    let bound =
        listener::bind(&listener::Config { address, tls: None, limits: Limits::default() }, false).unwrap();
    let address = bound.address().to_string();
    tokio::spawn(bound.serve(handler, stop.clone(), stop.clone()));
    address
}

fn integration(origin: &str) -> Integration {
    let spec = format!(
        "name: CRM
auth:
  type: oauth2
  getOAuthConfig:
    type: mapping
    mapping:
      clientId: {{$var: connectorParameters.clientId}}
      clientSecret: {{$var: connectorParameters.clientSecret}}
      authorizeUri: {origin}/authorize
      tokenUri: {origin}/token
  makeApiClient:
    type: mapping
    mapping:
      baseUri: {origin}/v1
      headers:
        Authorization: {{$concat: ['Bearer ', {{$var: credentials.access_token}}]}}
        X-Api-Key: planted-key
      query:
        key: planted-query
      responseHandlers:
        - match: {{$eval: {{$var: response.headers.x-gone}}, isNotEmpty: true}}
          isSuccess: false
          error: {{key: connection_is_defunct, message: gone}}
        - match: {{$eval: {{$var: response.data.error}}, is: expired}}
          isSuccess: false
          error: {{key: access_token_expired, message: expired}}
"
    );
    let node = crate::document::parse("spec.yml", &spec).unwrap();
    let connector = match Connector::from_node("crm".into(), "spec.yml", &node) {
        Ok((connector, _)) => connector,
        Err(complaints) => panic!("{complaints:?}"),
    };
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
        connections: Connections::Many,
        refresh: RefreshSettings::default(),
        allow_private: true,
        allow_plain: true,
        upgrade_idle: None,
        route: Some("/crm".into()),
        oauth_callback: None,
        credentials_schema: None,
        token_endpoint: Arc::default(),
    }
}

fn connection(id: &str, customer: &str, clock: &Arc<dyn Clock>) -> Connection {
    let ada = testing::connection(id, clock.now());
    let owner = Owner { customer: customer.into(), ..ada.owner };
    Connection { owner, key: Some(format!("key-of-{id}")), app: Some("own".into()), ..ada }
}

fn first_secrets() -> Secret<Secrets> {
    let credentials = json!({"access_token": "planted-a1", "refresh_token": "planted-r1"});
    let empty = || Value::from(json!({}));
    Secret::new(Secrets { credentials: credentials.into(), input: empty(), connector_parameters: empty() })
}

fn no_roots() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
