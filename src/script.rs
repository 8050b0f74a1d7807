//! JavaScript methods of connectors: each run in a fresh QuickJS realm, in a process of its own, within limits that hold.
//! Never opens a connection; what a script asks for is answered through [`HostCalls`] by whoever runs it.
//!
//! QuickJS runs builtins that nothing interrupts (`[].concat` over an array-like of a billion items), and a defect in it is a
//! defect in C. So no script ever runs in the process that holds everybody's secrets: `docs/decisions/` says more.

mod cache;
mod check;
mod conversation;
mod error;
mod host;
mod limits;
mod mask;
mod message;
mod pool;
mod source;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::formula::Value;
use crate::telemetry::metrics::ScriptMetrics;
use cache::{Key, Results};
pub use check::check;
pub use error::{ErrorKind, ScriptError, Thrown};
pub use host::{BoxFuture, HostCalls, HostClient, HostError, HostRequest, HostResponse, NoHostCalls};
pub use limits::{Exceeded, Limit, Limits};
use mask::Mask;
use message::Job;
use pool::Pool;
pub use pool::SUBCOMMAND;
pub use source::Script;

/// How scripts are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What workers are made of: this program, which has the subcommand for it.
    pub program: PathBuf,
    /// How many worker processes there may be.
    pub workers: usize,
    /// What one run may use.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        // What is running, even where its file has been replaced meanwhile.
        Self { program: "/proc/self/exe".into(), workers: 2, limits: Limits::default() }
    }
}

/// What a script gave.
pub struct Outcome {
    /// The result; nothing for undefined.
    pub value: Option<Zeroizing<Value>>,
    /// Its `console.log`, what it was given masked; empty where the result is remembered.
    pub log: String,
    /// Whether the same script gave it before for the same argument.
    pub is_remembered: bool,
}

/// Runs scripts.
pub struct Scripts {
    limits: Limits,
    pool: Pool,
    results: Results,
    metrics: ScriptMetrics,
}

impl Scripts {
    /// Starts nothing yet. The workers' pipes are served by `runtime`.
    #[must_use]
    pub fn new(config: Config, runtime: Handle, metrics: ScriptMetrics) -> Self {
        let limits = config.limits.clone();
        let pool = Pool::new(config, runtime, metrics.workers.clone());
        Self { limits, pool, results: Results::new(), metrics }
    }

    /// What one run may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Runs `script` as `method`, or remembers what it gave for the same argument. Only one object is passed, so `argument`
    /// must be one; `apiClient` is added where `host` offers it.
    ///
    /// # Errors
    /// If it ran into a limit, threw, or cannot be run at all.
    pub async fn run(
        &self,
        script: &Script,
        method: &str,
        argument: &Value,
        host: &dyn HostCalls,
    ) -> Result<Outcome, ScriptError> {
        let outcome = self.attempt(script, method, argument, host).await;
        self.metrics.count(match &outcome {
            Ok(Outcome { is_remembered: true, .. }) => "remembered",
            Ok(_) => "ok",
            Err(error) => error.kind.label(),
        });
        outcome
    }

    async fn attempt(
        &self,
        script: &Script,
        method: &str,
        argument: &Value,
        host: &dyn HostCalls,
    ) -> Result<Outcome, ScriptError> {
        let error = |kind, place| ScriptError {
            file: script.short_name().to_owned(),
            place,
            method: method.to_owned(),
            kind,
        };
        let reached = |limit: Limit| error(ErrorKind::Limit(limit.of(&self.limits)), None);
        let unreadable = |problem: serde_json::Error| error(ErrorKind::Unreadable(problem.to_string()), None);
        let text = Zeroizing::new(serde_json::to_string(argument).map_err(unreadable)?);
        if !script.is_within(&self.limits) {
            return Err(reached(Limit::Source));
        }
        if text.len() as u64 > self.limits.argument {
            return Err(reached(Limit::Argument));
        }
        let job = Job {
            file: script.file().to_owned(),
            source: script.text().to_owned(),
            method: method.to_owned(),
            argument: Some(text),
            offers_api_client: host.offers_api_client(),
        };
        let key = Key::of(script, &job);
        if let Some(known) = self.results.get(&key) {
            let value = read(known.as_deref()).map_err(unreadable)?;
            return Ok(Outcome { value, log: String::new(), is_remembered: true });
        }
        let mut mask = Mask::of(argument);
        let done = self.pool.work(&job, host, &mut mask).await.map_err(|kind| error(kind, None))?;
        let log = mask.hide(&done.log);
        match done.outcome {
            Ok(result) => {
                let value = read(result.as_ref()).map_err(unreadable)?;
                if done.is_pure {
                    self.results.put(key, result.map(Arc::new));
                }
                Ok(Outcome { value, log, is_remembered: false })
            }
            Err(failure) => {
                let (kind, place) = ErrorKind::of(failure, &self.limits);
                Err(error(kind.masked(&mut mask), place))
            }
        }
    }
}

fn read(result: Option<&Zeroizing<String>>) -> Result<Option<Zeroizing<Value>>, serde_json::Error> {
    result.map(|text| serde_json::from_str(text).map(Zeroizing::new)).transpose()
}
