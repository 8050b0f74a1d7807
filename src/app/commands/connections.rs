//! `sidegate connections`: what customers have connected, for whoever runs the machine.
//! Never shows a secret, and never takes one as an argument: it would stand in the shell's history and in `ps`.
#![expect(clippy::print_stdout, reason = "commands speak to a terminal")]

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::service::{Door, One, Options, encoded, text};
use super::{Failed, request, table};

#[derive(Subcommand)]
pub(super) enum ConnectionsCommand {
    /// List connections, of one customer (--customer) or of all.
    List(List),
    /// Show one connection.
    Show(One),
    /// Run the connector's test with a connection's credentials; exit code 1 if it fails.
    Test(One),
    /// Make a connection (--integration and --customer), or change one. Its secrets come from a file or standard input.
    Put(Put),
    /// Show the request that a call would send, secrets masked.
    Request(request::Request),
    /// Archive a connection: the record stays, its secrets are gone.
    Remove(One),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    options: Options,
    /// Those of one integration.
    #[arg(long, value_name = "KEY")]
    integration: Option<String>,
    /// Archived ones too.
    #[arg(long)]
    archived: bool,
}

#[derive(Args)]
pub(super) struct Put {
    #[command(flatten)]
    options: Options,
    /// The connection to change: its id; with --customer also its key, or the key of its integration.
    #[arg(required_unless_present = "integration", conflicts_with = "integration")]
    connection: Option<String>,
    /// Make a connection to this integration, for --customer.
    #[arg(long, value_name = "KEY", requires = "customer")]
    integration: Option<String>,
    /// A JSON file with `credentials`, or with the `input` that the connector makes them from; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// A name for people.
    #[arg(long)]
    name: Option<String>,
    /// A name for machines, unique among the customer's.
    #[arg(long)]
    key: Option<String>,
}

pub(super) fn connections(command: &ConnectionsCommand) -> Result<(), Failed> {
    match command {
        ConnectionsCommand::List(list) => listed(list),
        ConnectionsCommand::Show(one) => {
            let connection = Door::open(&one.options)?.ask("GET", &one.path(), None)?;
            show(&connection, one.options.json)
        }
        ConnectionsCommand::Test(one) => tested(one),
        ConnectionsCommand::Put(put) => changed(put),
        ConnectionsCommand::Request(request) => request::request(request),
        ConnectionsCommand::Remove(one) => {
            let archived = Door::open(&one.options)?.ask("DELETE", &one.path(), None)?;
            match one.options.json {
                true => show(&archived, true),
                false => {
                    println!("archived {}; its secrets are gone", text(&archived, "id"));
                    Ok(())
                }
            }
        }
    }
}

fn listed(list: &List) -> Result<(), Failed> {
    let door = Door::open(&list.options)?;
    let mut path = format!("/connections?limit=1000&includeArchived={}", list.archived);
    for (name, value) in [("integrationKey", &list.integration), ("userId", &list.options.customer)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let items = door.all(&path)?;
    if list.options.json {
        return print_json(&items);
    }
    let heads = ["CONNECTION", "CUSTOMER", "INTEGRATION", "STATE", "NAME", "NEXT REFRESH", "LAST ERROR"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(items.iter().map(|one| {
        let [id, customer, integration, name, refresh] =
            ["id", "userId", "integrationKey", "name", "nextCredentialsRefreshAt"].map(|key| text(one, key));
        let error = text(&one["refresh"]["failure"], "class");
        [id, customer, integration, state(one), name, refresh, error]
    }));
    table::print(&rows);
    Ok(())
}

/// A connection in a few lines, or as the API shows it.
fn show(connection: &Value, as_json: bool) -> Result<(), Failed> {
    if as_json {
        return print_json(connection);
    }
    let shown = [
        ("id", "id"),
        ("key", "key"),
        ("name", "name"),
        ("customer", "userId"),
        ("integration", "integrationKey"),
        ("next refresh", "nextCredentialsRefreshAt"),
        ("created", "createdAt"),
        ("changed", "updatedAt"),
        ("archived", "archivedAt"),
    ];
    let mut rows = vec![["state".to_owned(), state(connection)]];
    let why = text(&connection["error"], "message");
    rows.extend((!why.is_empty()).then(|| ["because".to_owned(), why]));
    let given = shown.iter().filter(|(_, key)| connection[*key].is_string());
    rows.extend(given.map(|(name, key)| [(*name).to_owned(), text(connection, key)]));
    rows.extend(refreshes(connection));
    table::print(&rows);
    Ok(())
}

/// How its credentials are kept fresh.
fn refreshes(connection: &Value) -> Vec<[String; 2]> {
    let (refresh, failure) = (&connection["refresh"], &connection["refresh"]["failure"]);
    let shown = [
        ("token ends", &refresh["expiresAt"]),
        ("refreshed", &refresh["lastAt"]),
        ("exchanges", &refresh["exchanges"]),
        ("version", &refresh["version"]),
        ("last error", &failure["class"]),
        ("which means", &failure["message"]),
        ("failed in a row", &failure["inARow"]),
        ("since", &failure["since"]),
        ("next try", &failure["nextTry"]),
        ("missing scopes", &connection["missingScopes"]),
    ];
    let given = shown.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| [name.to_owned(), word(value)]).collect()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn state(connection: &Value) -> String {
    let word = match (connection["archivedAt"].is_string(), connection["connected"] == true) {
        (true, _) => "archived",
        (false, true) => "ready",
        (false, false) => "must reconnect",
    };
    word.to_owned()
}

fn tested(one: &One) -> Result<(), Failed> {
    let door = Door::open(&one.options)?;
    let outcome = door.ask("POST", &format!("{}/test", one.path()), None)?;
    if one.options.json {
        print_json(&outcome)?;
    }
    match refusal(&outcome) {
        Some(why) => Err(anyhow!("{} does not work: {}", one.connection, table::plain(&why)).into()),
        None if one.options.json => Ok(()),
        None => {
            println!("{} works", one.connection);
            Ok(())
        }
    }
}

/// Why a test did not succeed, where it was carried out and the third party said no.
pub(super) fn refusal(outcome: &Value) -> Option<String> {
    (outcome["success"] != true).then(|| text(outcome, "message"))
}

fn changed(put: &Put) -> Result<(), Failed> {
    let mut body = put.from.as_ref().map(read_object).transpose()?.unwrap_or_default();
    let given = [("integrationKey", &put.integration), ("name", &put.name), ("key", &put.key)];
    for (name, value) in given {
        body.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    if body.is_empty() {
        bail_on_nothing()?;
    }
    let text = Zeroizing::new(serde_json::to_vec(&body)?);
    let door = Door::open(&put.options)?;
    let stored = match &put.connection {
        None => door.ask("POST", "/connections", Some(&text))?,
        Some(one) => door.ask("PATCH", &format!("/connections/{}", encoded(one)), Some(&text))?,
    };
    show(&stored, put.options.json)
}

fn bail_on_nothing() -> anyhow::Result<()> {
    bail!("nothing would change; give --from, --name or --key")
}

/// A file's JSON object. Of what is wrong with it only the place is told: it holds secrets.
fn read_object(path: &PathBuf) -> anyhow::Result<Map<String, Value>> {
    let shown = path.display();
    let mut text = Zeroizing::new(Vec::new());
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut text).context("standard input cannot be read")?;
    } else {
        *text = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
    }
    match serde_json::from_slice(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => bail!("{shown} must hold a JSON object, such as {{\"credentials\": {{…}}}}"),
        Err(error) => bail!("{shown}:{}:{}: this is not JSON", error.line(), error.column()),
    }
}

pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failed> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
