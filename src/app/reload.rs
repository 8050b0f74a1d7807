//! Another configuration in place of the one in force, whole or not at all.
//! Never touches a request in flight, never stops anything, and never changes what the process was started with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::rehearsal::{self, Findings};
use super::service::ServiceSide;
use super::{StartError, verifier};
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Fixed, Reading, Settings, Shutdown, Sources, Watched};
use crate::connector::Catalog;
use crate::document::Complaint;
use crate::inbound::{Current, SnapshotError};
use crate::report::report;
use crate::telemetry::Telemetry;

/// Who wanted a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGHUP.
    Signal,
    /// `POST /reload` on the admin listener.
    Request,
    /// A file that was read has changed.
    Files,
}

impl Cause {
    /// For the log and the status page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::Request => "the admin listener",
            Self::Files => "changed files",
        }
    }
}

/// How a reload ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// Who wanted it.
    pub cause: Cause,
    /// The generation in force since then.
    pub generation: u64,
    /// Why it was refused, each mistake at its place; none if it was taken.
    pub refused: Vec<String>,
    /// What was taken from it but deserves a look.
    pub warnings: Vec<String>,
    /// What was changed in it and takes a restart.
    pub needs_restart: Vec<String>,
}

impl Report {
    /// Whether the configuration that was read is in force.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.refused.is_empty()
    }
}

/// What is swapped, and what it is made from.
pub(super) struct Reloader {
    sources: Sources,
    fixed: Fixed,
    current: Current,
    service: Option<Arc<ServiceSide>>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    poll: watch::Sender<Option<Duration>>,
    /// Held throughout a reload: one at a time.
    turn: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    watched: Watched,
    shutdown: Shutdown,
    last: Option<Report>,
}

impl Reloader {
    /// For what was started from `settings`, its parts already taken out of it.
    pub(super) fn new(
        started: Started,
        current: Current,
        service: Option<Arc<ServiceSide>>,
        telemetry: Arc<Telemetry>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let Started { sources, fixed, poll, watched, shutdown } = started;
        let (poll, _) = watch::channel(poll);
        let state = Mutex::new(State { watched, shutdown, last: None });
        let turn = Mutex::default();
        in_force(&telemetry, 1, clock.now());
        Arc::new(Self { sources, fixed, current, service, telemetry, clock, poll, turn, state })
    }

    /// How to stop, as the configuration in force has it.
    pub(super) fn shutdown(&self) -> Shutdown {
        self.state().shutdown
    }

    /// The last reload, if there was one.
    pub(super) fn last(&self) -> Option<Report> {
        self.state().last.clone()
    }

    /// Reads, checks and builds the configuration anew, and puts it in force if nothing is wrong with it. Takes a moment
    /// of one thread: files are read and keys are prepared.
    pub(super) fn reload(&self, cause: Cause) -> Report {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Reading { settings, watched } = config::read(&self.sources);
        let taken =
            settings.map_err(|complaints| lines(&complaints)).and_then(|settings| self.take(settings));
        let (taken, refused) = match taken {
            Ok(taken) => (Some(taken), Vec::new()),
            Err(refused) => (None, refused),
        };
        let mut state = self.state();
        // Also of a configuration that was refused: it is read again when one of these changes, not before.
        state.watched = watched;
        let mut report = Report {
            at: self.clock.now(),
            cause,
            generation: self.current.load().generation,
            refused,
            warnings: Vec::new(),
            needs_restart: Vec::new(),
        };
        if let Some(taken) = taken {
            state.shutdown = taken.shutdown;
            self.telemetry.metrics.life.reloads_applied.inc();
            in_force(&self.telemetry, report.generation, report.at);
            report = Report { warnings: taken.warnings, needs_restart: taken.needs_restart, ..report };
        } else {
            self.telemetry.metrics.life.reloads_refused.inc();
        }
        tell(&report);
        state.last = Some(report.clone());
        report
    }

    /// Everything that can fail comes first; the swaps at the end cannot.
    fn take(&self, settings: Settings) -> Result<Taken, Vec<String>> {
        let Findings { errors, warnings } = rehearsal::rehearse(&settings);
        if !errors.is_empty() {
            return Err(lines(&errors));
        }
        let needs_restart = lines(&self.fixed.changed_in_vain(&settings.fixed, &settings.places));
        let warnings = settings.warnings.iter().chain(&warnings).map(ToString::to_string).collect();
        let failed = |error: StartError| vec![report(&error).to_string()];
        let verifier = verifier(settings.tokens, &self.telemetry, &self.clock).map_err(failed)?;
        let snapshot = self.current.load().next(settings.upstreams, Arc::clone(&verifier));
        let snapshot = snapshot.map_err(|error: SnapshotError| vec![report(&error).to_string()])?;

        self.current.store(Arc::new(snapshot));
        if let Some(service) = &self.service {
            let outbound = settings.service.map(|service| service.outbound);
            service.reload(outbound, verifier, Catalog::new(settings.integrations));
        }
        self.poll.send_replace(settings.reload.poll);
        Ok(Taken { shutdown: settings.shutdown, warnings, needs_restart })
    }

    /// Reloads whenever a file that was read has changed, until `stop`.
    pub(super) async fn follow_files(self: Arc<Self>, stop: CancellationToken) {
        let mut poll = self.poll.subscribe();
        loop {
            let interval = *poll.borrow_and_update();
            let pause = async {
                match interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                // The interval itself was changed.
                _ = poll.changed() => continue,
                () = pause => {}
            }
            let reloader = Arc::clone(&self);
            aside(move || {
                if reloader.has_changed() {
                    reloader.reload(Cause::Files);
                }
            })
            .await;
        }
    }

    /// Reloads on each of these signals, until `stop`. Signals that come while one is taken are one more.
    pub(super) async fn follow_signals(self: Arc<Self>, mut hangup: Signal, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => {}
            }
            let reloader = Arc::clone(&self);
            aside(move || drop(reloader.reload(Cause::Signal))).await;
        }
    }

    fn has_changed(&self) -> bool {
        // Cloned, so that nobody waits for the disk.
        let watched = self.state().watched.clone();
        !watched.changed().is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process is started from that a reload needs to know.
pub(super) struct Started {
    pub(super) sources: Sources,
    pub(super) fixed: Fixed,
    pub(super) poll: Option<Duration>,
    pub(super) watched: Watched,
    pub(super) shutdown: Shutdown,
}

/// What is in force once a configuration was taken.
struct Taken {
    shutdown: Shutdown,
    warnings: Vec<String>,
    needs_restart: Vec<String>,
}

fn in_force(telemetry: &Telemetry, generation: u64, since: Timestamp) {
    let life = &telemetry.metrics.life;
    life.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    life.config_taken_at.set(since.as_secs_f64());
}

/// Runs what reads files and prepares keys where nobody waits for it but who wanted it.
pub(super) async fn aside(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!("a reload ended in a defect: {}", report(&error));
    }
}

fn tell(report: &Report) {
    let (cause, generation) = (report.cause.as_str(), report.generation);
    for complaint in &report.refused {
        tracing::error!(cause, "the configuration was not reloaded: {complaint}");
    }
    for warning in report.warnings.iter().chain(&report.needs_restart) {
        tracing::warn!("{warning}");
    }
    if report.is_applied() {
        tracing::info!(cause, generation, "the configuration was reloaded");
    } else {
        tracing::error!(cause, generation, "the configuration of before stays in force");
    }
}

fn lines(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}
