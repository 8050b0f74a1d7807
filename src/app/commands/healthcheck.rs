//! `sidegate healthcheck`: one GET to the health listener.
//! Never looks at anything but the status.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::Failed;
use super::ask::ask;

/// How long the whole check may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What to ask.
#[derive(Args)]
pub(super) struct Options {
    /// The health listener: HOST:PORT, or unix:/path.
    #[arg(long, default_value = "127.0.0.1:9091", value_name = "ADDRESS")]
    address: String,
    /// What to ask: /readyz (may traffic come?) or /healthz (is the process alive?).
    #[arg(long, default_value = "/readyz")]
    path: String,
}

pub(super) fn healthcheck(options: &Options) -> Result<(), Failed> {
    let answer = ask(&options.address, &format!("GET {}", options.path), TIMEOUT)?;
    match answer.status {
        200 => Ok(()),
        status => Err(anyhow!("not ready ({status}): {}", answer.body.trim()).into()),
    }
}
