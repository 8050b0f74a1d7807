//! `sidegate key`: what is sealed with which key, and everything sealed anew with the first.
//! Never shows a key, only its id.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to a terminal")]

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::own::Own;
use super::{Configured, Failed, control, table};

/// How often a rotation is asked how far it is.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// How many connections, customers and consents under way are sealed with which key.
    List(Options),
    /// Seal every row of the store anew with the first key of `encryption.keys`. Traffic goes on meanwhile. Whatever
    /// interrupts it, the same command goes on from there.
    Rotate(Options),
}

/// Which store is meant: that of the running Sidegate, or of this configuration if none runs.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    configured: Configured,
    /// The admin listener of the running Sidegate, HOST:PORT or unix:/path; default: as `listeners.admin` has it.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
}

pub(super) fn key(command: &KeyCommand) -> Result<(), Failed> {
    match command {
        KeyCommand::List(options) => {
            let shown = match options.holder()? {
                Holder::Running(address) => control::asked(&address, "GET /keys", &[200])?["keys"].take(),
                Holder::Nobody(own) => {
                    serde_json::to_value(own.runtime.block_on(own.service.rotations().rows())?)?
                }
            };
            list(&shown);
            Ok(())
        }
        KeyCommand::Rotate(options) => match options.holder()? {
            Holder::Running(address) => {
                control::asked(&address, "POST /key-rotate", &[202])?;
                follow(|| {
                    let mut status = control::asked(&address, "GET /status?format=json", &[200])?;
                    Ok(status["sealing"]["rotation"].take())
                })
            }
            Holder::Nobody(own) => {
                own.service.rotate();
                follow(|| Ok(serde_json::to_value(own.service.rotations().last())?))
            }
        },
    }
}

/// Who has the store.
enum Holder {
    /// A Sidegate with its admin listener here.
    Running(String),
    /// Nobody had: this command does now.
    Nobody(Own),
}

impl Options {
    fn holder(&self) -> Result<Holder, Failed> {
        if let Some(address) = &self.address {
            return Ok(Holder::Running(address.clone()));
        }
        let settings = self.configured.load("")?;
        let admin = settings.listeners.admin.as_ref().map(|listener| listener.address.to_string());
        match Own::open(settings)? {
            Some(own) => Ok(Holder::Nobody(own)),
            None => Ok(Holder::Running(admin.context(
                "a process holds the store, and no `listeners.admin` is configured to ask it by; name one and restart \
                 it, or stop it and run this again",
            )?)),
        }
    }
}

fn list(keys: &Value) {
    let mut rows = vec![["KEY", "CONNECTIONS", "CUSTOMERS", "CONSENTS", ""].map(str::to_owned)];
    for key in keys.as_array().into_iter().flatten() {
        let note = match (key["seals"] == true, key["configured"] == true) {
            (true, _) => "seals what is written",
            (false, true) => "",
            (false, false) => "not configured: these rows cannot be opened",
        };
        let id = key["id"].as_str().unwrap_or_default().to_owned();
        let [connections, customers, consents] =
            ["connections", "customers", "consents"].map(|kind| key[kind].to_string());
        rows.push([id, connections, customers, consents, note.to_owned()]);
    }
    table::print(&rows);
}

/// Shows how far a rotation is until it has ended.
fn follow(mut now: impl FnMut() -> anyhow::Result<Value>) -> Result<(), Failed> {
    let mut shown = String::new();
    loop {
        let rotation = now().context(
            "it cannot be told how far the rotation came; what it did stands, and the same command goes on from there",
        )?;
        if rotation["running"] == true {
            let line = format!("{} of {} rows", rotation["resealed"], rotation["found"]);
            // How many there are is not known at first.
            if rotation["found"] != 0 && line != shown {
                println!("{line}");
                shown = line;
            }
            std::thread::sleep(PAUSE);
            continue;
        }
        return ended(&rotation);
    }
}

fn ended(rotation: &Value) -> Result<(), Failed> {
    let key = rotation["key"].as_str().unwrap_or_default();
    for failure in rotation["failures"].as_array().into_iter().flatten() {
        eprintln!("error: {}", failure.as_str().unwrap_or_default());
    }
    match &rotation["resealed"] {
        none if none == 0 => println!("no row needed to be sealed anew with the key `{key}`"),
        resealed => println!("{resealed} rows sealed anew with the key `{key}`"),
    }
    if let Some(error) = rotation["error"].as_str() {
        return Err(anyhow!("the rotation stopped: {error}; the same command goes on from there").into());
    }
    if rotation["failed"] != 0 {
        let failed = &rotation["failed"];
        return Err(anyhow!(
            "{failed} rows cannot be opened and stay as they are; restore them from a backup, or remove them"
        )
        .into());
    }
    println!("every row is under it; the other keys may be taken out of `encryption.keys`");
    Ok(())
}
