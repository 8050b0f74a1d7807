//! `sidegate status`, `reload` and `drain`: one request each to the admin listener of a running Sidegate.
//! Never reads the configuration itself; the process does, with its own paths, flags and variables.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::Value;

use super::ask::ask;
use super::{Failed, table};

/// How long an answer may take: a reload reads files and prepares keys.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which process is meant.
#[derive(Args)]
pub(super) struct Options {
    /// The admin listener: HOST:PORT, or unix:/path.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "ADDRESS")]
    address: String,
}

/// What to show.
#[derive(Args)]
pub(super) struct StatusOptions {
    #[command(flatten)]
    of: Options,
    /// Everything as JSON, as /status?format=json has it.
    #[arg(long)]
    json: bool,
}

pub(super) fn status(options: &StatusOptions) -> Result<(), Failed> {
    let status = asked(&options.of.address, "GET /status?format=json", &[200])?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    let unmet: Vec<_> = items(&status["unmet"]).collect();
    let word = if unmet.is_empty() { "ready" } else { "not ready" };
    println!("sidegate {}: {word}, up since {}", text(&status["version"]), text(&status["started"]));
    for one in unmet {
        println!("  {}: {}", text(&one["condition"]), text(&one["reason"]));
    }
    println!("configuration: generation {}", status["generation"]);
    if !status["lastReload"].is_null() {
        tell(&status["lastReload"]);
    }
    for workspace in items(&status["workspaces"]) {
        let usable = if workspace["usable"] == true { "usable" } else { "no key yet" };
        println!(
            "workspace {}: {usable}, keys: {}",
            text(&workspace["key"]),
            items(&workspace["keys"]).count()
        );
    }
    for upstream in items(&status["upstreams"]) {
        let [name, mode, url] = ["name", "mode", "url"].map(|key| text(&upstream[key]));
        println!("upstream {name}: {mode}, {url}");
    }
    Ok(())
}

pub(super) fn reload(options: &Options) -> Result<(), Failed> {
    let reloaded = asked(&options.address, "POST /reload", &[200, 422])?;
    tell(&reloaded);
    if reloaded["applied"] == true { Ok(()) } else { Err(Failed::Said) }
}

pub(super) fn drain(options: &Options) -> Result<(), Failed> {
    asked(&options.address, "POST /drain", &[202])?;
    println!("it is draining, and will end");
    Ok(())
}

/// One request to the admin listener at `address`.
pub(super) fn asked(address: &str, line: &str, expected: &[u16]) -> anyhow::Result<Value> {
    let answer = ask(address, line, PATIENCE)
        .context("the admin listener was not reached; it is off unless `listeners.admin` names it")?;
    if !expected.contains(&answer.status) {
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let said = said["message"].as_str().unwrap_or(answer.body.trim());
        return Err(anyhow!("refused ({}): {}", answer.status, table::plain(said)));
    }
    serde_json::from_str(&answer.body).context("the answer is not JSON: is this the admin listener?")
}

/// How a reload ended: what is good on standard output, what is not on standard error.
fn tell(reloaded: &Value) {
    let generation = &reloaded["generation"];
    if reloaded["applied"] == true {
        println!("reloaded at {}: generation {generation} is in force", text(&reloaded["at"]));
    } else {
        eprintln!("not reloaded at {}: generation {generation} stays in force", text(&reloaded["at"]));
    }
    for (kind, key) in [("error", "complaints"), ("restart", "needsRestart"), ("warning", "warnings")] {
        items(&reloaded[key]).for_each(|line| eprintln!("{kind}: {}", text(line)));
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
