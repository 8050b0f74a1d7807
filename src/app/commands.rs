//! The command line: what each command does and what it prints.
//! Never knows how a request is handled; it builds, asks and reports.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to a terminal")]

mod ask;
mod connections;
mod control;
mod demo;
mod healthcheck;
mod integrations;
mod key;
mod own;
mod request;
mod service;
mod table;
mod token;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use super::rehearsal;
use crate::clock::SystemClock;
use crate::config::{self, Flags, Settings, Sources};
use crate::document::Complaint;

/// The auth sidecar: verifies integration tokens in front of an API and injects customers' credentials behind it.
#[derive(Parser)]
#[command(name = "sidegate", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "\
Every key of the files is also an environment variable: SIDEGATE_SHUTDOWN__DELAY=10s. A flag stands over it, and it
stands over the files. docs/configuration.md lists them all.";

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM.
    #[command(after_help = ENVIRONMENT)]
    Run(Configured),
    /// Read the whole configuration and report every mistake with its place; exit code 0 or 1.
    Check(Configured),
    /// Show the configuration, or its schemas.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a commented configuration with fresh keys into a new folder.
    Init {
        /// The folder; it must not hold a sidegate.yaml yet.
        folder: PathBuf,
    },
    /// Show the whole thing at work on this machine: verified and refused requests, injected and refreshed credentials.
    Demo(demo::Options),
    /// Ask a running Sidegate whether it is ready; exit code 0 or 1. For containers without curl.
    Healthcheck(healthcheck::Options),
    /// Show how a running Sidegate is, as its status page does.
    Status(control::StatusOptions),
    /// Let a running Sidegate read its configuration again; exit code 1 and every mistake if it was refused.
    Reload(control::Options),
    /// Let a running Sidegate finish what is in flight and end, as SIGTERM does.
    Drain(control::Options),
    /// List, show, test, change and remove what customers have connected, and show what a call would send.
    #[command(subcommand)]
    Connections(connections::ConnectionsCommand),
    /// List and test third parties.
    #[command(subcommand)]
    Integrations(integrations::IntegrationsCommand),
    /// List and rotate the keys that seal the store.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Sign and explain tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Run JavaScript methods as the supervisor says; started by `run` and `check` only.
    #[command(hide = true)]
    ScriptWorker,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// The merged configuration, secrets redacted, each value with its origin.
    Show(Configured),
    /// The JSON Schemas of the configuration files, for editors.
    Schema {
        /// One schema by name (sidegate, upstream, integration); default: all.
        name: Option<String>,
    },
}

/// Where the configuration comes from. Precedence: flag, environment (`SIDEGATE_…`), file, default.
#[derive(Args)]
pub(crate) struct Configured {
    /// A file, or a folder with sidegate.yaml, upstreams/, integrations/ and connectors/. May be repeated.
    #[arg(long, short, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Guard this one API, without any file: http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The workspace whose tokens are admitted (its key, the tokens' issuer).
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
    /// The file that holds the workspace secret.
    #[arg(long, value_name = "FILE")]
    workspace_secret_file: Option<PathBuf>,
}

impl Configured {
    fn sources(&self) -> Sources {
        Sources {
            paths: self.config.clone(),
            flags: Flags {
                upstream: self.upstream.clone(),
                workspace: self.workspace.clone(),
                workspace_secret_file: self.workspace_secret_file.clone(),
            },
            environment: config::environment(),
        }
    }

    /// The settings, or every complaint on stderr, and `consequence` behind their number.
    pub(crate) fn load(&self, consequence: &str) -> Result<Settings, Failed> {
        config::load(&self.sources()).map_err(|complaints| complained(&complaints, consequence))
    }
}

/// How a command fails: having said why already, or with an error still to be said.
pub(crate) enum Failed {
    Said,
    With(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::With(error.into())
    }
}

/// Parses the arguments and carries the command out.
#[must_use]
pub fn main() -> ExitCode {
    crate::http::tls::install_crypto();
    let outcome = match Cli::parse().command {
        Command::Run(configured) => run(&configured),
        Command::Check(configured) => check(&configured),
        Command::Config(ConfigCommand::Show(configured)) => show(&configured),
        Command::Config(ConfigCommand::Schema { name }) => schema(name.as_deref()),
        Command::Init { folder } => init(&folder),
        Command::Demo(options) => demo::demo(&options),
        Command::Healthcheck(options) => healthcheck::healthcheck(&options),
        Command::Status(options) => control::status(&options),
        Command::Reload(options) => control::reload(&options),
        Command::Drain(options) => control::drain(&options),
        Command::Connections(command) => connections::connections(&command),
        Command::Integrations(command) => integrations::integrations(&command),
        Command::Key(command) => key::key(&command),
        Command::Token(command) => token::token(&command),
        Command::ScriptWorker => crate::script::worker::main().map_err(Failed::from),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Said) => ExitCode::FAILURE,
        Err(Failed::With(error)) => {
            eprintln!("sidegate: {}", crate::report::report(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

const NOT_STARTED: &str = "; nothing was started";

fn run(configured: &Configured) -> Result<(), Failed> {
    crate::telemetry::logging::init_diagnostics(&config::log_level());
    let settings = configured.load(NOT_STARTED)?;
    let found = rehearsal::rehearse(&settings);
    if !found.errors.is_empty() {
        return Err(complained(&found.errors, NOT_STARTED));
    }
    for warning in settings.warnings.iter().chain(&found.warnings) {
        tracing::warn!("{warning}");
    }
    super::open_files::raise();
    let running = super::start(settings, Arc::new(SystemClock))?;
    let ended = running.until_signalled()?;
    tracing::info!(?ended, "stopped");
    Ok(())
}

fn check(configured: &Configured) -> Result<(), Failed> {
    let settings = configured.load("")?;
    let found = rehearsal::rehearse(&settings);
    let warnings: Vec<&Complaint> = settings.warnings.iter().chain(&found.warnings).collect();
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    if !found.errors.is_empty() {
        return Err(complained(&found.errors, ""));
    }
    let public_url = settings.service.as_ref().and_then(|service| service.browsers.public_url.as_deref());
    for integration in settings.integrations.iter().filter(|one| one.enabled) {
        let Some(callback) = public_url.map(|public_url| integration.callback(public_url)) else { continue };
        let key = &integration.key;
        match integration.asks_for_consent() {
            Some(true) => println!("register at {key}: {callback}"),
            None => println!(
                "register at {key}, unless its grantType comes out as client_credentials: {callback}"
            ),
            Some(false) => {}
        }
    }
    let (summary, warnings) = (summary(&settings), plural(warnings.len(), "warning"));
    crate::inbound::Routes::new(settings.upstreams).map_err(anyhow::Error::msg)?;
    println!("ok: {summary}, {warnings}");
    Ok(())
}

fn summary(settings: &Settings) -> String {
    [
        plural(settings.tokens.workspaces.len(), "workspace"),
        plural(settings.upstreams.len(), "upstream"),
        plural(settings.integrations.len(), "integration"),
    ]
    .join(", ")
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn show(configured: &Configured) -> Result<(), Failed> {
    match config::show(&configured.sources()) {
        Ok(text) => {
            print!("{text}");
            Ok(())
        }
        Err(complaints) => Err(complained(&complaints, "")),
    }
}

fn schema(name: Option<&str>) -> Result<(), Failed> {
    let schemas = config::schemas();
    let Some(name) = name else {
        println!("{}", serde_json::to_string_pretty(&schemas.into_iter().collect::<BTreeMap<_, _>>())?);
        return Ok(());
    };
    let file = format!("{name}.schema.json");
    let Some((_, schema)) = schemas.iter().find(|(known, _)| *known == file) else {
        let known: Vec<_> = schemas.iter().map(|(known, _)| known.trim_end_matches(".schema.json")).collect();
        return Err(anyhow::anyhow!("there is no schema `{name}`; there are {}", known.join(", ")).into());
    };
    println!("{}", serde_json::to_string_pretty(schema)?);
    Ok(())
}

fn init(folder: &std::path::Path) -> Result<(), Failed> {
    config::init(folder)?;
    println!("{} holds a configuration with fresh keys.", folder.display());
    println!(
        "Put your workspace key into sidegate.yaml, its secret into secrets/workspace, and the URL of your API"
    );
    println!(
        "into upstreams/api.yaml, then: sidegate check --config {0} && sidegate run --config {0}",
        folder.display()
    );
    Ok(())
}

fn complained(complaints: &[Complaint], consequence: &str) -> Failed {
    for complaint in complaints {
        eprintln!("error: {complaint}");
    }
    eprintln!("{}{consequence}", plural(complaints.len(), "mistake"));
    Failed::Said
}
