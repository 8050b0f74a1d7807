//! `sidegate token`: signs tokens for trying things out, and explains what becomes of one.
//! Never prints a key, a secret, or what a token's `fields` hold.
#![expect(clippy::print_stdout, reason = "commands speak to a terminal")]

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{Configured, Failed};
use crate::clock::{Clock, SystemClock};
use crate::inbound::{Routes, rules};
use crate::secret::Secret;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};
use crate::token::{Policy, Verifier};

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Sign a token as the platform, or a customer's backend, would.
    Sign(Sign),
    /// Say what is in a token, which key would verify it, and which rule would admit this method and path, and if not why.
    Explain(Explain),
}

#[derive(Args)]
#[command(group(ArgGroup::new("signing key").required(true).args(["secret_file", "key_file"])))]
pub(super) struct Sign {
    /// The workspace: the `iss` claim.
    #[arg(long, value_name = "KEY")]
    workspace: String,
    /// The file with the workspace secret (HS256, HS384, HS512).
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The file with a private key, PKCS#8 PEM (RS*, PS*, ES*).
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// One of HS256/384/512, RS256/384/512, PS256/384/512, ES256/384/512.
    #[arg(long, default_value = "HS256")]
    algorithm: Algorithm,
    /// The customer: the `id` claim.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The customer's name.
    #[arg(long)]
    name: Option<String>,
    /// Make it an admin token.
    #[arg(long)]
    admin: bool,
    /// The `fields` claim: a JSON object.
    #[arg(long, value_name = "JSON")]
    fields: Option<String>,
    /// How long the token lives; `0s` leaves `exp` out.
    #[arg(long, default_value = "2h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// The `kid` header.
    #[arg(long)]
    kid: Option<String>,
}

#[derive(Args)]
pub(super) struct Explain {
    #[command(flatten)]
    configured: Configured,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The request's path.
    #[arg(long, default_value = "/")]
    path: String,
    /// The request's Host.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The token; `-` reads it from standard input, which keeps it out of the shell's history.
    token: String,
}

pub(super) fn token(command: &TokenCommand) -> Result<(), Failed> {
    match command {
        TokenCommand::Sign(sign) => {
            println!("{}", signed(sign)?);
            Ok(())
        }
        TokenCommand::Explain(explain) => explained(explain),
    }
}

fn signed(sign: &Sign) -> anyhow::Result<String> {
    let mut claims = Map::new();
    claims.insert("iss".into(), json!(sign.workspace));
    claims.extend(sign.id.as_ref().map(|id| ("id".into(), json!(id))));
    claims.extend(sign.name.as_ref().map(|name| ("name".into(), json!(name))));
    if let Some(fields) = &sign.fields {
        let fields: Map<String, Value> =
            serde_json::from_str(fields).context("--fields is not a JSON object")?;
        claims.insert("fields".into(), Value::Object(fields));
    }
    if sign.admin {
        claims.insert("isAdmin".into(), json!(true));
    }
    if sign.id.is_none() && !sign.admin {
        bail!("a token speaks for a customer or for an admin; give --id, --admin or both");
    }
    let now = SystemClock.now();
    claims.insert("iat".into(), json!(now.as_secs()));
    if !sign.expires_in.is_zero() {
        claims.insert("exp".into(), json!(now.plus(sign.expires_in).as_secs()));
    }
    let key_file = sign.secret_file.as_ref().or(sign.key_file.as_ref());
    let from = || key_file.map_or_else(String::new, |file| format!("{} cannot sign", file.display()));
    mint(&claims, sign.algorithm, &signing_key(sign)?, sign.kid.as_deref()).with_context(from)
}

fn signing_key(sign: &Sign) -> anyhow::Result<SigningKey> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    match (&sign.secret_file, &sign.key_file) {
        (Some(file), _) => {
            let text = read(file)?;
            let secret = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            Ok(SigningKey::Secret(Secret::new(secret)))
        }
        (None, Some(file)) => Ok(SigningKey::Pem(Secret::new(read(file)?))),
        (None, None) => bail!("nothing to sign with; give --secret-file or --key-file"),
    }
}

fn explained(explain: &Explain) -> Result<(), Failed> {
    let settings = explain.configured.load("")?;
    let routes = Routes::new(settings.upstreams).map_err(anyhow::Error::msg)?;
    let (verifier, _) = Verifier::new(settings.tokens, Arc::new(SystemClock)).map_err(|complaints| {
        anyhow::anyhow!("{}", complaints.iter().map(ToString::to_string).collect::<String>())
    })?;
    let method: http::Method = explain.method.parse().context("--method is not a method")?;
    let found = routes.find(&explain.host, &method, &explain.path);
    let policy = found.as_ref().map_or_else(|_| Policy::default(), |route| route.policy().clone());
    let token = read_token(&explain.token)?;
    fetch_keys(&verifier, &token, &policy)?;
    let explanation = verifier.explain(&token, &policy);

    let shown = |value: &Option<Value>| value.as_ref().map_or("unreadable".into(), ToString::to_string);
    println!("header    {}", shown(&explanation.header));
    println!("claims    {}", shown(&explanation.claims));
    println!("key       {}", explanation.key.as_deref().unwrap_or("none would verify it"));
    match &explanation.outcome {
        Ok(_) => println!("token     valid"),
        Err(error) => println!("token     refused ({}): {}", error.code(), crate::report::report(error)),
    }
    for remark in &explanation.remarks {
        println!("          {remark}");
    }
    let request = format!("{method} {}", explain.path);
    match found {
        Err(rejection) => println!("rule      none admits {request}: {rejection}"),
        Ok(route) => {
            println!("upstream  {}", route.upstream_name());
            println!("rule      {}", route.rule());
            match rules::would_admit(&route, explanation.outcome.as_ref().ok()) {
                Ok(()) => println!("answer    {request} is forwarded"),
                Err(rejection) if route.only_observes() => {
                    println!(
                        "answer    {request} is forwarded, for its upstream only observes; else: {rejection}"
                    );
                }
                Err(rejection) => println!("answer    {request} is refused: {rejection}"),
            }
        }
    }
    Ok(())
}

/// Reads the key set that the token needs, where it is at a URL. What goes wrong there, the explanation tells.
fn fetch_keys(verifier: &Verifier, token: &str, policy: &Policy) -> anyhow::Result<()> {
    crate::http::tls::install_crypto();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = CancellationToken::new();
    verifier.start(runtime.handle(), &stop)?;
    let _ = runtime.block_on(verifier.verify_or_fetch(token, policy));
    stop.cancel();
    Ok(())
}

fn read_token(argument: &str) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut token = String::new();
    std::io::stdin().read_to_string(&mut token).context("standard input cannot be read")?;
    Ok(token.trim().to_owned())
}
