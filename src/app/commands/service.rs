//! The SDK API asked as an admin: that of the running Sidegate by its outbound listener, or, where no process holds the
//! store, that of a service's side opened here. Never asks for a secret.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http::Request;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::ask::{self, Answer};
use super::own::Own;
use super::{Configured, Failed, table};
use crate::app::service::ServiceListener;
use crate::clock::{Clock, SystemClock};
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::http::listener::{Address, Arrival, Handler};
use crate::names::CustomerId;
use crate::secret::Secret;
use crate::token::WorkspaceConfig;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};

/// How long an answer may take: a test asks a third party.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the token lives that a command signs for itself.
const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const MOST: usize = 16 * 1024 * 1024;

/// Whose connections are meant, and which Sidegate.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    configured: Configured,
    /// The outbound listener of the running Sidegate, HOST:PORT or unix:/path; default: as `listeners.outbound` has it.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// The workspace; needed where several are configured.
    #[arg(long = "in", value_name = "WORKSPACE")]
    within: Option<String>,
    /// The customer. With it, a connection may also be selected by its key or its integration.
    #[arg(long, value_name = "ID")]
    pub(super) customer: Option<String>,
    /// JSON for scripts instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct One {
    #[command(flatten)]
    pub(super) options: Options,
    /// The connection's id; with --customer also its key, or the key of its integration.
    pub(super) connection: String,
}

impl One {
    /// Where the API has it.
    pub(super) fn path(&self) -> String {
        format!("/connections/{}", encoded(&self.connection))
    }
}

/// Where the API is.
enum To {
    Running(String),
    Own(Box<(Own, ServiceListener)>),
}

/// A way to ask it.
pub(super) struct Door {
    to: To,
    signer: Signer,
    admin: Option<Address>,
    has_customer: bool,
}

impl Door {
    /// Reads the configuration, and finds what signs tokens and who holds the store.
    pub(super) fn open(options: &Options) -> Result<Self, Failed> {
        let settings = options.configured.load("")?;
        let workspace = workspace(&settings.tokens.workspaces, options.within.as_deref())?;
        let signer = Signer::of(workspace, options.customer.as_deref())?;
        let outbound = settings.listeners.outbound.as_ref().map(|listener| listener.address.clone());
        let admin = settings.listeners.admin.as_ref().map(|listener| listener.address.clone());
        let to = match (&options.address, outbound) {
            (Some(address), _) => To::Running(address.clone()),
            (None, outbound) => match Own::open(settings)? {
                Some(own) => {
                    let listener = own.service.listener()?;
                    To::Own(Box::new((own, listener)))
                }
                None => To::Running(reachable(outbound.context("`listeners.outbound` is not configured")?)),
            },
        };
        Ok(Self { to, signer, admin, has_customer: options.customer.is_some() })
    }

    /// The same for one customer, where a Sidegate runs: browsers reach no other.
    pub(super) fn for_customer(mut self, customer: &str) -> anyhow::Result<Self> {
        if self.own().is_some() {
            bail!("no Sidegate runs that a browser could reach; start it first");
        }
        self.signer.speak_for(customer);
        Ok(Self { has_customer: true, ..self })
    }

    /// Asks for JSON. What is refused is an error that says why.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&[u8]>) -> anyhow::Result<Value> {
        let Answer { status, body } = match &self.to {
            To::Running(address) => self.ask_running(address, method, path, body)?,
            To::Own(own) => own.0.runtime.block_on(self.ask_own(&own.1, method, path, body))?,
        };
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let said = |name: &str| answer[name].as_str().map(table::plain).unwrap_or_default();
        Err(match status {
            401 => anyhow!(
                "the token that this command signed is not taken ({}): is this the configuration of the running Sidegate?",
                said("message")
            ),
            // An admin without a customer selects by id alone.
            403 if !self.has_customer => anyhow!(
                "there is no connection of this id in the workspace; its key or its integration selects with --customer"
            ),
            _ => anyhow!("{} ({})", said("message"), format!("{status} {}", said("key")).trim_end()),
        })
    }

    /// Every item of a list, page by page. `path` has a query already.
    pub(super) fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.ask("GET", &format!("{path}{cursor}"), None)?;
            all.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            let Some(next) = page["cursor"].as_str() else { return Ok(all) };
            cursor = format!("&cursor={}", encoded(next));
        }
    }

    /// The service's side, if it was opened here.
    pub(super) fn own(&self) -> Option<&Own> {
        match &self.to {
            To::Own(own) => Some(&own.0),
            To::Running(_) => None,
        }
    }

    /// Where the configuration has the admin listener.
    pub(super) fn admin(&self) -> Option<String> {
        self.admin.clone().map(reachable)
    }

    fn ask_running(
        &self,
        address: &str,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> anyhow::Result<Answer> {
        let headers = Zeroizing::new(format!("Authorization: Bearer {}\r\n", *self.signer.token()?));
        let request = ask::Request { line: &format!("{method} {path}"), headers: &headers, body };
        ask::send(address, &request, PATIENCE).context(
            "the process that holds the store was not reached; --address names its outbound listener",
        )
    }

    async fn ask_own(
        &self,
        listener: &ServiceListener,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> anyhow::Result<Answer> {
        let body = body.map_or_else(Body::empty, |body| Body::full(Bytes::copy_from_slice(body)));
        let authorization = Zeroizing::new(format!("Bearer {}", *self.signer.token()?));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", authorization.as_str())
            .body(body)?;
        let arrival = Arrival { peer: None, tls: false, misdirected: false, at: Instant::now() };
        let answer = listener.handle(request, arrival).await;
        let status = answer.status().as_u16();
        match collect_within(answer.into_body(), MOST).await {
            Ok(Collected::Whole(text)) => {
                Ok(Answer { status, body: String::from_utf8_lossy(&text).into_owned() })
            }
            _ => bail!("the answer is not whole"),
        }
    }
}

/// Text as a path segment or a query value holds it.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn workspace<'a>(all: &'a [WorkspaceConfig], wanted: Option<&str>) -> anyhow::Result<&'a WorkspaceConfig> {
    let names = || all.iter().map(|one| one.key.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, all) {
        (Some(wanted), _) => {
            let found = all.iter().find(|one| one.key.as_str() == wanted);
            found.ok_or_else(|| anyhow!("there is no workspace `{wanted}`; there are {}", names()))
        }
        (None, [only]) => Ok(only),
        (None, []) => bail!("no workspace is configured"),
        (None, _) => bail!("several workspaces are configured; name one with --in: {}", names()),
    }
}

/// What signs a command's tokens, one for each question.
struct Signer {
    claims: Map<String, Value>,
    algorithm: Algorithm,
    key: SigningKey,
}

impl Signer {
    fn of(workspace: &WorkspaceConfig, customer: Option<&str>) -> anyhow::Result<Self> {
        let key = &workspace.key;
        let secret = workspace.secret.as_ref().filter(|_| !workspace.secret_disabled).with_context(|| {
            format!("the workspace `{key}` has no secret that verifies tokens, so no admin token can be signed for this; configure `workspaces.{key}.secret`")
        })?;
        let signs = |one: &&Algorithm| matches!(one, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
        let algorithm = match &workspace.algorithms[..] {
            [] => Algorithm::HS256,
            narrowed => *narrowed.iter().find(signs).with_context(|| {
                format!("`workspaces.{key}.algorithms` admits nothing that its secret can sign")
            })?,
        };
        let mut claims = Map::new();
        claims.insert("iss".into(), json!(key.as_str()));
        claims.insert("isAdmin".into(), json!(true));
        claims.extend(workspace.audiences.first().map(|audience| ("aud".into(), json!(audience))));
        let mut signer = Self { claims, algorithm, key: SigningKey::Secret(Secret::duplicate(secret)) };
        if let Some(customer) = customer {
            signer.speak_for(customer);
        }
        Ok(signer)
    }

    fn speak_for(&mut self, customer: &str) {
        self.claims.insert("id".into(), json!(CustomerId::from(customer).as_str()));
    }

    /// An admin token that is good for a minute.
    fn token(&self) -> anyhow::Result<Zeroizing<String>> {
        let now = SystemClock.now();
        let mut claims = self.claims.clone();
        claims.insert("iat".into(), json!(now.as_secs()));
        claims.insert("exp".into(), json!(now.plus(TOKEN_LIFE).as_secs()));
        Ok(Zeroizing::new(mint(&claims, self.algorithm, &self.key, None)?))
    }
}

/// An address to connect to: one that is listened on everywhere is here, too.
fn reachable(address: Address) -> String {
    match address {
        Address::Tcp(mut address) if address.ip().is_unspecified() => {
            let loopback =
                if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
            address.set_ip(loopback);
            address.to_string()
        }
        other => other.to_string(),
    }
}

/// A text of an answer; empty where it has none.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
