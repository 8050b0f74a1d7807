//! Another configuration in place of the one in force, whole or not at all.
//! Never touches a request in flight, never stops anything, and never changes what the process was started with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::describe::Described;
use super::rehearsal::{self, Findings};
use super::service::ServiceSide;
use crate::admin::status::Reloaded;
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Fixed, Places, Reading, ServiceSettings, Settings, Shutdown, Sources, Watched};
use crate::connector::Catalog;
use crate::document::Complaint;
use crate::http::tls::{self, ListenerTls};
use crate::inbound::Current;
use crate::report::report;
use crate::telemetry::Telemetry;
use crate::token::KeyStatus;

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

    /// As the admin listener shows it.
    pub(super) fn shown(&self) -> Reloaded {
        Reloaded {
            at: self.at,
            cause: self.cause.as_str(),
            applied: self.is_applied(),
            generation: self.generation,
            complaints: self.refused.clone(),
            warnings: self.warnings.clone(),
            needs_restart: self.needs_restart.clone(),
        }
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
    background: Background,
    poll: watch::Sender<Option<Duration>>,
    /// Held throughout a reload: one at a time.
    turn: Mutex<()>,
    /// Of the listeners with TLS.
    certificates: Vec<ListenerTls>,
    state: Mutex<State>,
}

/// Where the tasks of workspaces run that a reload brings.
pub(super) struct Background {
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
}

struct State {
    watched: Watched,
    shutdown: Shutdown,
    described: Described,
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
        background: Background,
    ) -> Arc<Self> {
        let Started { sources, fixed, poll, watched, shutdown, described, certificates } = started;
        let (poll, _) = watch::channel(poll);
        let state = Mutex::new(State { watched, shutdown, described, last: None });
        let turn = Mutex::default();
        in_force(&telemetry, 1, clock.now());
        Arc::new(Self {
            sources,
            fixed,
            current,
            service,
            telemetry,
            clock,
            background,
            certificates,
            poll,
            turn,
            state,
        })
    }

    /// How to stop, as the configuration in force has it.
    pub(super) fn shutdown(&self) -> Shutdown {
        self.state().shutdown
    }

    /// The last reload, if there was one.
    pub(super) fn last(&self) -> Option<Report> {
        self.state().last.clone()
    }

    /// The configuration in force, as the admin listener shows it.
    pub(super) fn described(&self) -> Described {
        self.state().described.clone()
    }

    /// Shows in the metrics that the process stops.
    pub(super) fn count_as_draining(&self) {
        self.telemetry.metrics.life.draining.set(1);
    }

    /// How the keys of each workspace are.
    pub(super) fn keys(&self) -> Vec<KeyStatus> {
        self.current.load().verifier.key_status()
    }

    /// The generation in force.
    pub(super) fn generation(&self) -> u64 {
        self.current.load().generation
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
            generation: self.generation(),
            refused,
            warnings: Vec::new(),
            needs_restart: Vec::new(),
        };
        if let Some(taken) = taken {
            state.shutdown = taken.shutdown;
            state.described = taken.described;
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
        let described = Described::of(&settings);
        let before = self.current.load();
        // Workspaces that stay as they are keep their keys, and what is remembered of their tokens.
        let succeeded = before.verifier.succeeded_by(settings.tokens);
        let (verifier, _) =
            succeeded.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let snapshot = before.next(settings.upstreams, Arc::clone(&verifier));
        let snapshot = snapshot.map_err(|error| vec![report(&error).to_string()])?.guarded_by(settings.gate);
        let now = self.clock.now();
        let certificates: Result<Vec<_>, _> =
            self.certificates.iter().map(|tls| tls.read_again(now)).collect();
        let certificates = certificates.map_err(|error| vec![report(&error).to_string()])?;
        // Rows are not touched by it, and these keys open them all: no harm if what follows fails.
        self.rekey(&settings.places, settings.service.as_ref())?;
        let Background { runtime, stop } = &self.background;
        verifier.start(runtime, stop).map_err(|error| vec![report(&error).to_string()])?;

        certificates.into_iter().for_each(tls::Reloaded::put_in_force);
        self.current.store(Arc::new(snapshot));
        if let Some(service) = &self.service {
            let settled = settings.service.map(|service| (service.outbound, service.browsers));
            service.reload(settled, verifier, Catalog::new(settings.integrations));
        }
        self.poll.send_replace(settings.reload.poll);
        Ok(Taken { shutdown: settings.shutdown, described, warnings, needs_restart })
    }

    /// Puts other sealing keys in use, if they are good for what is stored.
    fn rekey(&self, places: &Places, wanted: Option<&ServiceSettings>) -> Result<(), Vec<String>> {
        let (Some(running), Some(wanted)) = (&self.service, wanted) else { return Ok(()) };
        let ids = || wanted.sealing_keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        let placed = |error| rehearsal::unfit_keys(places, &ids(), &error).to_string();
        running.rekey(&wanted.sealing_keys).map_err(|error| vec![placed(error)])
    }

    /// What is told of a reload that ended in a panic; the log has more, and nothing was swapped.
    pub(super) fn defect(&self, cause: Cause) -> Report {
        let refused = vec!["the reload ended in a defect of Sidegate; its log tells more".to_owned()];
        let (at, generation) = (self.clock.now(), self.generation());
        Report { at, cause, generation, refused, warnings: Vec::new(), needs_restart: Vec::new() }
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
    pub(super) described: Described,
    /// Of the listeners with TLS.
    pub(super) certificates: Vec<ListenerTls>,
}

/// What is in force once a configuration was taken.
struct Taken {
    shutdown: Shutdown,
    described: Described,
    warnings: Vec<String>,
    needs_restart: Vec<String>,
}

fn in_force(telemetry: &Telemetry, generation: u64, since: Timestamp) {
    let life = &telemetry.metrics.life;
    life.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    life.config_taken_at.set(since.as_secs_f64());
}

/// Runs what reads files and prepares keys where nobody waits for it but who wanted it.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!("a reload ended in a defect: {}", report(error))).ok()
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
