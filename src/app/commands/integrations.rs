//! `sidegate integrations`: third parties, and whether they can be connected and called.
//! Never shows a secret: what a step of connecting sent or got was masked before.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to a terminal")]

use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connections::{print_json, refusal};
use super::service::{Door, Options, encoded, text};
use super::{Failed, plural, table};
use crate::steps::{State, Step, Steps};

/// How often it is asked how far connecting is.
const PAUSE: Duration = Duration::from_millis(300);
/// Who connects in a test.
const TESTER: &str = "sidegate-test";

#[derive(Subcommand)]
pub(super) enum IntegrationsCommand {
    /// List the third parties that can be connected.
    List(Options),
    /// Connect an integration with OAuth in a browser, step by step; of others, run the connector's test with every
    /// connection. Exit code 1 if anything fails.
    Test(OneIntegration),
}

#[derive(Args)]
pub(super) struct OneIntegration {
    #[command(flatten)]
    options: Options,
    /// The integration's key.
    integration: String,
    /// With OAuth, too: run the connector's test with every connection.
    #[arg(long)]
    connections: bool,
}

pub(super) fn integrations(command: &IntegrationsCommand) -> Result<(), Failed> {
    match command {
        IntegrationsCommand::List(options) => {
            let items = Door::open(options)?.all("/integrations?limit=1000")?;
            if options.json {
                return print_json(&items);
            }
            let mut rows = vec![["INTEGRATION", "NAME", "CONNECTOR", "AUTH"].map(str::to_owned)];
            rows.extend(
                items.iter().map(|one| ["key", "name", "connectorId", "authType"].map(|key| text(one, key))),
            );
            table::print(&rows);
            Ok(())
        }
        IntegrationsCommand::Test(one) => {
            let door = Door::open(&one.options)?;
            // First of all, so that a name that does not exist is told.
            let found = door.ask("GET", &format!("/integrations/{}", encoded(&one.integration)), None)?;
            let options = found["authOptions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_oauth = options.iter().any(|option| matches!(&*text(option, "type"), "oauth1" | "oauth2"));
            if is_oauth && !one.connections { connected(one, door, &found) } else { tested_all(one, &door) }
        }
    }
}

/// Lets a person connect, and shows what was done meanwhile.
fn connected(one: &OneIntegration, door: Door, integration: &Value) -> Result<(), Failed> {
    let Options { customer, json, .. } = &one.options;
    let door = door.for_customer(customer.as_deref().unwrap_or(TESTER))?;
    let wanted = json!({"integrationKey": one.integration, "name": "Test"}).to_string();
    let request = door.ask("POST", "/connection-requests", Some(wanted.as_bytes()))?;
    eprintln!("Open this address in a browser and connect {}:\n", table::plain(&text(integration, "name")));
    eprintln!("  {}\n", text(&request, "url"));
    eprintln!("Waiting for its end. Ctrl-C stops the waiting; the address works for a day.");
    let path = format!("/connection-requests/{}", encoded(&text(&request, "requestId")));
    let mut told = Told::default();
    let ended = loop {
        let now = door.ask("GET", &path, None)?;
        let has_ended = now["status"] != "pending";
        if !json {
            told.tell(serde_json::from_value(now["steps"].clone()).unwrap_or_default(), has_ended);
        }
        if has_ended {
            break now;
        }
        std::thread::sleep(PAUSE);
    };
    if *json {
        print_json(&ended)?;
    }
    let connection = text(&ended, "resultConnectionId");
    match &*text(&ended, "status") {
        "success" if customer.is_none() => {
            door.ask("DELETE", &format!("/connections/{}", encoded(&connection)), None)?;
            eprintln!("{} can be connected; the connection of this test is removed again", one.integration);
            Ok(())
        }
        "success" => {
            eprintln!("{} is connected: {connection}", one.integration);
            Ok(())
        }
        "cancelled" => Err(anyhow!("it was cancelled in the browser").into()),
        _ => {
            let why = table::plain(&text(&ended["resultError"], "message"));
            Err(anyhow!("{} cannot be connected: {why}", one.integration).into())
        }
    }
}

/// What was told of the steps so far.
#[derive(Default)]
struct Told(Steps);

impl Told {
    /// Tells what is new: of each step that it is under way, and how it ended; in the end also which were not reached.
    fn tell(&mut self, steps: Steps, have_ended: bool) {
        for (place, step) in steps.iter().enumerate() {
            let is_new = match step.state {
                State::NotReached => have_ended,
                _ => self.0.iter().nth(place) != Some(step),
            };
            if is_new {
                show(step);
            }
        }
        self.0 = steps;
    }
}

/// A step in a line, and below it what it sent or got, and what to do if it failed.
fn show(step: &Step) {
    println!("{}", line(step));
    for (name, value) in step.payload.iter() {
        println!("      {}: {}", table::plain(name), table::plain(value));
    }
    if let Some(advice) = step.advice() {
        println!("      {advice}");
    }
}

fn line(step: &Step) -> String {
    let (mark, word) = match step.state {
        State::NotReached => ("·", "not reached"),
        State::Begun => ("…", "under way"),
        State::Done => ("✓", "done"),
        State::Failed => ("✗", "failed"),
    };
    let mut line = format!("  {mark} {}: {word}", step.stage.title());
    if let Some(took) = step.took().filter(|took| !took.is_zero()) {
        line.push_str(&format!(" in {} ms", took.as_millis()));
    }
    if let Some(status) = step.status {
        line.push_str(&format!(", answer {status}"));
    }
    if let Some(code) = &step.code {
        line.push_str(&format!(", {}", table::plain(code)));
    }
    line
}

fn tested_all(one: &OneIntegration, door: &Door) -> Result<(), Failed> {
    let path = format!("/connections?limit=1000&integrationKey={}", encoded(&one.integration));
    let mut outcomes = Vec::new();
    for connection in door.all(&path)? {
        let id = text(&connection, "id");
        let outcome = door.ask("POST", &format!("/connections/{}/test", encoded(&id)), None);
        let said = match outcome {
            Ok(outcome) => refusal(&outcome),
            Err(error) => Some(crate::report::report(error.as_ref()).to_string()),
        };
        outcomes.push((id, text(&connection, "userId"), said));
    }
    if outcomes.is_empty() {
        return Err(anyhow!(
            "nobody has connected `{}` yet, so there is nothing to test it with",
            one.integration
        )
        .into());
    }
    let failed = outcomes.iter().filter(|(.., error)| error.is_some()).count();
    if one.options.json {
        let shown = |(id, customer, error): &(String, String, Option<String>)| json!({"id": id, "userId": customer, "works": error.is_none(), "error": error});
        print_json(&outcomes.iter().map(shown).collect::<Vec<_>>())?;
    } else {
        let mut rows = vec![["CONNECTION", "CUSTOMER", "TEST"].map(str::to_owned)];
        let all = outcomes.iter().cloned();
        rows.extend(all.map(|(id, customer, error)| [id, customer, error.unwrap_or_else(|| "works".into())]));
        table::print(&rows);
    }
    match failed {
        0 => Ok(()),
        _ => Err(anyhow!("{} of {} failed", failed, plural(outcomes.len(), "connection")).into()),
    }
}
