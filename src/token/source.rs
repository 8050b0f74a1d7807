//! The tasks that keep key sets and revocations as new as their files and URLs are.
//! Never verify anything, and never take away keys because others could not be had.

mod fetch;
mod schedule;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::fetch::{FetchError, Fetched, Fetcher};
use self::schedule::Schedule;
use super::issuer::Issuer;
use super::keys::{Jwks, JwksSource, KeyComplaint};
use super::revocations::Revocations;
use super::verify::Verifier;
use crate::clock::Clock;
use crate::http::tls::{self, ClientTls, TlsError};
use crate::report::report;
use crate::telemetry::labels::LoadOutcome;
use crate::telemetry::metrics::TokenMetrics;

/// How often a file is looked at. Mounted secrets and config maps change by a link, which no watch of a file sees.
const POLL: Duration = Duration::from_secs(5);
/// The largest file of revocations that is read.
const MAX_FILE: u64 = 8 * 1024 * 1024;

impl Verifier {
    /// Starts what keeps the workspaces' keys and revocations fresh, on `runtime` and until `stop`, for those workspaces
    /// that have not been started before. The first reading of each set begins at once and is not waited for.
    ///
    /// # Errors
    /// A set is at a URL, and TLS cannot be set up.
    pub fn start(&self, runtime: &Handle, stop: &CancellationToken) -> Result<(), TlsError> {
        for issuer in self.workspaces.values().filter(|issuer| issuer.starts()) {
            let keeper = Keeper {
                issuer: Arc::downgrade(issuer),
                clock: Arc::clone(&self.clock),
                metrics: self.metrics.clone(),
                stop: stop.clone(),
            };
            keeper.metrics.keys(issuer.config.key.as_str(), issuer.state().keys.keys().len());
            if let Some(jwks) = &issuer.config.jwks {
                let source = Source::of(jwks)?;
                runtime.spawn(keeper.clone().keep_set(source, Schedule::of(jwks)));
            }
            if issuer.config.revoked.is_some() {
                runtime.spawn(keeper.keep_revocations());
            }
        }
        Ok(())
    }
}

/// One workspace's tasks. They end with the workspace: they do not keep it.
#[derive(Clone)]
struct Keeper {
    issuer: Weak<Issuer>,
    clock: Arc<dyn Clock>,
    metrics: TokenMetrics,
    stop: CancellationToken,
}

/// Where a set comes from.
enum Source {
    File(std::path::PathBuf),
    Url(Box<Fetcher>),
}

impl Source {
    fn of(jwks: &Jwks) -> Result<Self, TlsError> {
        Ok(match &jwks.source {
            JwksSource::File(file) => Self::File(file.path.clone()),
            JwksSource::Url { url, egress } => {
                let tls = tls::client(&ClientTls::default())?;
                Self::Url(Box::new(Fetcher::new(url.clone(), *egress, tls)))
            }
        })
    }

    async fn read(&mut self) -> Result<Fetched, String> {
        match self {
            Self::File(path) => {
                let text = read_file(path, fetch::MAX_SET as u64).await?;
                Ok(Fetched::Set { text, max_age: None })
            }
            Self::Url(fetcher) => {
                fetcher.fetch().await.map_err(|error: FetchError| report(&error).to_string())
            }
        }
    }
}

impl Keeper {
    async fn keep_set(self, mut source: Source, mut schedule: Schedule) {
        let Some(wanted) = self.issuer.upgrade().map(|issuer| Arc::clone(&issuer.wanted)) else { return };
        loop {
            let Some(issuer) = self.issuer.upgrade() else { return };
            wanted.begin();
            let (read, max_age) = match source.read().await {
                Ok(Fetched::Set { text, max_age }) => (self.take_set(&issuer, &text), max_age),
                Ok(Fetched::Unchanged { max_age }) => (Ok(LoadOutcome::Unchanged), max_age),
                Err(problem) => (Err((LoadOutcome::Failed, problem)), None),
            };
            let pause = match &read {
                Ok(_) => schedule.after_success(max_age),
                Err(_) => schedule.after_failure(issuer.state().has_set),
            };
            self.note_set(&issuer, read);
            drop(issuer);
            wanted.end();
            if let (Source::Url(fetcher), true) = (&mut source, schedule.is_failing()) {
                // A set that was refused must not be taken for the one that is in use.
                fetcher.forget();
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = wanted.asked() => {}
            }
        }
    }

    fn take_set(&self, issuer: &Issuer, text: &str) -> Result<LoadOutcome, (LoadOutcome, String)> {
        match issuer.take_set(text) {
            Ok(None) => Ok(LoadOutcome::Unchanged),
            Ok(Some(complaints)) => {
                complaints.iter().for_each(warn);
                let state = issuer.state();
                let keys = state.keys.keys().len();
                let workspace = issuer.config.key.as_str();
                self.metrics.keys(workspace, keys);
                tracing::info!(workspace, keys, generation = state.generation, "new keys are in use");
                Ok(LoadOutcome::Changed)
            }
            Err(problem) => Err((LoadOutcome::Refused, problem)),
        }
    }

    /// Writes down how it went: in the metrics, in the status, and in the log where it went otherwise than before.
    fn note_set(&self, issuer: &Issuer, read: Result<LoadOutcome, (LoadOutcome, String)>) {
        let workspace = issuer.config.key.as_str();
        let now = self.clock.now();
        let outcome = match read {
            Ok(outcome) => {
                if note(issuer, Some(now), None) {
                    tracing::info!(workspace, "the key set can be read again");
                }
                outcome
            }
            Err((outcome, problem)) => {
                if note(issuer, None, Some(&problem)) {
                    tracing::warn!(
                        workspace,
                        problem,
                        "the key set cannot be read; the last good one stays in use"
                    );
                }
                outcome
            }
        };
        self.metrics.jwks_fetched(workspace, outcome, now);
        self.give_up_if_stale(issuer);
    }

    /// A set that was not confirmed for as long as the operator allows may have lost a key that was stolen.
    fn give_up_if_stale(&self, issuer: &Issuer) {
        let (Some(jwks), Some(last)) = (&issuer.config.jwks, issuer.last_success()) else { return };
        if issuer.state().has_set && self.clock.now().since(last) > jwks.stale_limit {
            issuer.give_up_set();
            let workspace = issuer.config.key.as_str();
            self.metrics.keys(workspace, issuer.state().keys.keys().len());
            tracing::error!(workspace, %last, "the key set is too old and is not used any more");
        }
    }

    async fn keep_revocations(self) {
        let mut known = None;
        loop {
            let Some(issuer) = self.issuer.upgrade() else { return };
            self.read_revocations(&issuer, &mut known).await;
            drop(issuer);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// `known` is what was read last, good or bad, so that each text is judged once.
    async fn read_revocations(&self, issuer: &Issuer, known: &mut Option<Result<String, String>>) {
        let Some(file) = &issuer.config.revoked else { return };
        let workspace = issuer.config.key.as_str();
        let read = read_file(&file.path, MAX_FILE).await;
        if known.as_ref() == Some(&read) {
            return self.metrics.revoked_read(workspace, LoadOutcome::Unchanged);
        }
        let shown = file.path.display().to_string();
        let judged = match &read {
            Err(problem) => Err((LoadOutcome::Failed, problem.clone())),
            Ok(text) => Revocations::read(&shown, text, workspace).map_err(|complaints| {
                let lines: Vec<_> = complaints.iter().take(20).map(ToString::to_string).collect();
                (LoadOutcome::Refused, format!("{} mistakes: {}", complaints.len(), lines.join("; ")))
            }),
        };
        *known = Some(read);
        let outcome = match judged {
            Ok(revocations) => {
                let entries = revocations.len();
                issuer.take_revocations(revocations);
                tracing::info!(workspace, entries, "revocations are in use");
                LoadOutcome::Changed
            }
            Err((outcome, problem)) => {
                tracing::warn!(
                    workspace,
                    problem,
                    "revocations cannot be read; the last good ones stay in use"
                );
                outcome
            }
        };
        self.metrics.revoked_read(workspace, outcome);
    }
}

/// Notes a success or a problem; whether that is news.
fn note(issuer: &Issuer, success: Option<crate::clock::Timestamp>, problem: Option<&str>) -> bool {
    let mut progress = issuer.progress.lock().unwrap_or_else(PoisonError::into_inner);
    progress.last_success = success.or(progress.last_success);
    let is_news = progress.last_error.as_deref() != problem;
    progress.last_error = problem.map(str::to_owned);
    is_news
}

async fn read_file(path: &Path, most: u64) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let length = tokio::fs::metadata(path).await.map_err(told)?.len();
    if length > most {
        return Err(format!("{} has more than {most} bytes", path.display()));
    }
    tokio::fs::read_to_string(path).await.map_err(told)
}

fn warn(complaint: &KeyComplaint) {
    tracing::warn!(workspace = complaint.workspace.as_str(), problem = %complaint, cure = complaint.cure, "a key is not used");
}
