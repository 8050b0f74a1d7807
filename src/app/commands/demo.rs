//! `sidegate demo`: the whole job on this machine's loopback, with a small built-in API and third party.
//! Never pretends: the requests go through a real Sidegate, configured by the files it writes.
#![expect(clippy::print_stdout, reason = "commands speak to a terminal")]

mod api;
mod files;
mod third_party;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::Failed;
use crate::app::{self, Running};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Flags, Sources};
use crate::http::egress::Egress;
use crate::http::listener::{self, Handler, Limits};
use crate::http::tls::{self, ClientTls};
use files::{Files, SECRET, WORKSPACE};
use third_party::ThirdParty;

/// How the demo runs.
#[derive(Args)]
pub(super) struct Options {
    /// End after the tour instead of staying up.
    #[arg(long)]
    once: bool,
    /// Guard this API instead of the built-in one.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
}

pub(super) fn demo(options: &Options) -> Result<(), Failed> {
    let stage = Stage::set(options)?;
    stage.introduce();
    let tour = stage.servers.block_on(stage.tour());
    let running = match tour {
        Ok(()) if !options.once => {
            stage.invite();
            stage.sidegate.until_signalled()
        }
        _ => Ok(stage.sidegate.wind_down()),
    };
    stage.stop.cancel();
    running?;
    Ok(tour?)
}

/// Everything that runs during the demo.
struct Stage {
    files: Files,
    sidegate: Running,
    third_party: Arc<ThirdParty>,
    api_url: String,
    third_party_url: String,
    client: reqwest::Client,
    tokens: Tokens,
    servers: Runtime,
    stop: CancellationToken,
}

/// The tokens a platform and a customer's backend would make, and two that must not pass.
struct Tokens {
    customer: String,
    admin: String,
    expired: String,
    forged: String,
}

impl Stage {
    fn set(options: &Options) -> anyhow::Result<Self> {
        let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let stop = CancellationToken::new();
        let third_party = Arc::new(ThirdParty::default());
        let third_party_url = serve(&servers, Arc::clone(&third_party), &stop)?;
        let api_url = match &options.upstream {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => serve(&servers, Arc::new(api::Api), &stop)?,
        };
        let files = Files::write(&api_url, &third_party_url)?;
        let sources = Sources {
            paths: vec![files.folder.clone()],
            flags: Flags::default(),
            environment: Default::default(),
        };
        let settings = config::load(&sources).map_err(|complaints| {
            anyhow!("{}", complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let sidegate = app::start(settings, Arc::new(SystemClock))?;
        let both_doors = Egress { allow_private: true, allow_plain: true };
        let tls = tls::client(&ClientTls::default())?;
        let client = crate::http::client::own_calls(
            both_doors,
            crate::http::egress::Names::default(),
            Duration::from_secs(30),
            tls,
        )?;
        let tokens = Tokens::mint()?;
        Ok(Self { files, sidegate, third_party, api_url, third_party_url, client, tokens, servers, stop })
    }

    fn introduce(&self) {
        println!("Sidegate's demo: everything below runs on this machine's loopback.\n");
        println!("  the API            {}", self.api_url);
        println!("  the third party    {}   with an OAuth2 token endpoint", self.third_party_url);
        println!("  Sidegate inbound   {}   in front of the API", self.inbound());
        println!("  Sidegate outbound  {}   between the API and the third party", self.outbound());
        println!("  its configuration  {}\n", self.files.folder.display());
    }

    async fn tour(&self) -> anyhow::Result<()> {
        println!("Inbound: who reaches the API, and as whom\n");
        let Tokens { customer, admin, expired, forged } = &self.tokens;
        self.knock("customer token", "/orders", Some(customer), 200).await?;
        self.knock("no token", "/orders", None, 401).await?;
        self.knock("expired token", "/orders", Some(expired), 401).await?;
        self.knock("forged token", "/orders", Some(forged), 401).await?;
        self.knock("customer token", "/admin/report", Some(customer), 403).await?;
        self.knock("admin token", "/admin/report", Some(admin), 200).await?;
        self.knock("no token, public", "/healthz", None, 200).await?;

        println!("\nOutbound: the service calls a third party and never sees the customer's credentials\n");
        self.connect().await?;
        self.call("first call").await?;
        self.third_party.revoke_access_token();
        println!("  {:<18} the third party no longer takes the token it gave out", "token revoked");
        self.call("the same call").await?;
        let (rejected, refreshes) = self.third_party.counts();
        ensure!(
            (rejected, refreshes) == (1, 1),
            "expected one 401 and one refresh, saw {rejected} and {refreshes}"
        );
        println!(
            "  {:<18} the third party answered one 401 and one refresh; the caller noticed nothing",
            "what happened"
        );
        Ok(())
    }

    /// One request to the API through Sidegate, and what became of it.
    async fn knock(&self, who: &str, path: &str, token: Option<&str>, expected: u16) -> anyhow::Result<()> {
        let mut request = self.client.get(format!("{}{path}", self.inbound()));
        if let Some(token) = token {
            request = request.header("X-Integration-App-Token", token);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let rejection = response.headers().get("x-sidegate-rejection").cloned();
        let body = response.text().await.unwrap_or_default();
        let outcome = match rejection {
            Some(code) => format!("refused by Sidegate: {}", code.to_str().unwrap_or_default()),
            None => api::described(&body),
        };
        println!("  {who:<18} GET {path:<14} {status}   {outcome}");
        // A real API behind --upstream answers what it likes; a refusal is always ours.
        ensure!(
            status == expected || (expected == 200 && status != 401 && status != 403),
            "expected {expected}"
        );
        Ok(())
    }

    /// Stores an OAuth2 connection, as the vendor's SDK does.
    async fn connect(&self) -> anyhow::Result<()> {
        let (access_token, refresh_token) = self.third_party.grant();
        let connection = json!({
            "name": "Demo CRM",
            "integrationKey": "crm",
            "credentials": {"access_token": access_token, "refresh_token": refresh_token, "expires_in": 3600},
        });
        let (status, body) = self.ask(Method::POST, "/connections", Some(&connection)).await?;
        ensure!(status < 300, "the connection was not stored: {body}");
        println!("  {:<18} POST /connections           {status}   id {}", "connection stored", body["id"]);
        Ok(())
    }

    async fn call(&self, what: &str) -> anyhow::Result<()> {
        let path = "/connections/crm/proxy/contacts";
        let (status, body) = self.ask(Method::GET, path, None).await?;
        println!("  {what:<18} GET …/proxy/contacts        {status}   {body}");
        ensure!(status == 200, "the call failed");
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.outbound()))
            .header("Authorization", format!("Bearer {}", self.tokens.customer));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        Ok((status, body))
    }

    fn invite(&self) {
        println!("\nNow you. Sidegate stays up until Ctrl-C; the tokens live for two hours.\n");
        println!("  TOKEN={}", self.tokens.customer);
        println!("  curl -i {}/orders -H \"X-Integration-App-Token: $TOKEN\"", self.inbound());
        println!("  curl -i {}/orders", self.inbound());
        println!(
            "  curl -i {}/connections/crm/proxy/contacts -H \"Authorization: Bearer $TOKEN\"",
            self.outbound()
        );
        println!("  curl -s {}/connections -H \"Authorization: Bearer $TOKEN\"", self.outbound());
        println!("  curl -s {}/metrics\n", self.address("health"));
    }

    fn inbound(&self) -> String {
        self.address("inbound")
    }

    fn outbound(&self) -> String {
        self.address("outbound")
    }

    fn address(&self, listener: &str) -> String {
        let found = self.sidegate.addresses().iter().find(|(name, _)| *name == listener);
        found.map(|(_, address)| format!("http://{address}")).unwrap_or_default()
    }
}

impl Tokens {
    fn mint() -> anyhow::Result<Self> {
        let now = SystemClock.now().as_secs();
        let claims = |more: Value| {
            let mut claims = json!({"iss": WORKSPACE, "iat": now, "exp": now + 7200});
            if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
                claims.extend(more);
            }
            claims
        };
        let sign = |claims: &Value, secret: &str| files::sign(claims, secret);
        let customer = claims(json!({"id": "customer-1", "name": "Ada"}));
        Ok(Self {
            customer: sign(&customer, SECRET)?,
            admin: sign(&claims(json!({"isAdmin": true})), SECRET)?,
            expired: sign(&claims(json!({"id": "customer-1", "exp": now - 60})), SECRET)?,
            forged: sign(&customer, "somebody else's secret, just as long as ours is")?,
        })
    }
}

/// A loopback server of the demo's own; returns its URL.
fn serve<H: Handler>(runtime: &Runtime, handler: Arc<H>, stop: &CancellationToken) -> anyhow::Result<String> {
    let _entered = runtime.enter();
    let address = "127.0.0.1:0".parse().map_err(anyhow::Error::msg)?;
    let bound = listener::bind(&listener::Config { address, tls: None, limits: Limits::default() }, false)?;
    let url = format!("http://{}", bound.address());
    runtime.spawn(bound.serve(handler, stop.clone(), stop.clone()));
    Ok(url)
}
