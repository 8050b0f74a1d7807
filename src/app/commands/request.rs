//! `sidegate connections request`: the request that a call would send, secrets masked. Nothing is sent.
//! Never sees a secret itself: what it shows was masked by whoever holds the store.
#![expect(clippy::print_stdout, reason = "commands speak to a terminal")]

use anyhow::Context;
use clap::Args;

use super::service::{Door, One, encoded, text};
use super::{Failed, control, table};
use crate::admin::preview::Wanted;

#[derive(Args)]
pub(super) struct Request {
    #[command(flatten)]
    one: One,
    /// The path and query to call, as behind `/connections/ID/proxy`, or a full URL.
    target: String,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// Show the request and send nothing. Sidegate's commands send none; the outbound listener does.
    #[arg(long, required = true)]
    dry_run: bool,
    /// The admin listener of the running Sidegate, HOST:PORT or unix:/path; default: as `listeners.admin` has it.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
}

pub(super) fn request(request: &Request) -> Result<(), Failed> {
    let door = Door::open(&request.one.options)?;
    let connection = text(&door.ask("GET", &request.one.path(), None)?, "id");
    let (method, target) = (request.method.clone(), request.target.clone());
    let preview = match door.own() {
        Some(own) => {
            let wanted = Wanted { connection, method, target };
            serde_json::to_value(
                own.runtime.block_on(own.service.preview(wanted)).map_err(anyhow::Error::msg)?,
            )?
        }
        None => {
            let admin = request.admin.clone().or_else(|| door.admin());
            let admin = admin.context("only its admin listener shows this; configure `listeners.admin`")?;
            let [connection, method, target] = [connection, method, target].map(|text| encoded(&text));
            let line = format!("GET /dry-run?connection={connection}&method={method}&target={target}");
            control::asked(&admin, &line, &[200])?
        }
    };
    if request.one.options.json {
        println!("{}", serde_json::to_string_pretty(&preview)?);
        return Ok(());
    }
    println!("{} {}", text(&preview, "method"), table::plain(&text(&preview, "url")));
    for header in preview["headers"].as_array().into_iter().flatten() {
        let [name, value] = [0, 1].map(|at| header[at].as_str().map(table::plain).unwrap_or_default());
        println!("{name}: {value}");
    }
    Ok(())
}
