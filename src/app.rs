//! Composition: settings in, a running Sidegate out. The only room that knows every other.
//! Never decides about a request; that is the listeners' business.

pub mod commands;
mod describe;
mod leaving;
pub mod lifecycle;
mod open_files;
mod operator;
pub mod rehearsal;
pub mod reload;
mod rotation;
mod service;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::admin::readiness::Readiness;
use crate::clock::Clock;
use crate::config::{AccessLogTo, Places, Settings};
use crate::connector::Catalog;
use crate::http::egress::Names;
use crate::http::listener::{self, Address};
use crate::http::tls::ClientTls;
use crate::inbound::{Current, Snapshot};
use crate::store::StoreError;
use crate::telemetry::{AccessLog, Telemetry};
use crate::token::keys::KeyComplaint;
use crate::token::{self, Verifier};
use describe::Described;
use lifecycle::{EndSignals, Ended, Signals, Stages};
use operator::Operator;
use reload::{Background, Cause, Reloader, Report, Started};
use service::ServiceSide;
use workers::{TrafficSide, enter};

/// Threads of the runtime that everything but the traffic listeners shares.
const SHARED_THREADS: usize = 2;

/// Why Sidegate did not start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys that cannot be used, all of them.
    #[error("{}", lines(.0))]
    Keys(Vec<KeyComplaint>),
    /// Upstreams that contradict each other, or whose certificates cannot be used.
    #[error(transparent)]
    Upstreams(#[from] crate::inbound::SnapshotError),
    /// The store cannot be opened.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The store was written with other keys than the configured ones.
    #[error("{0}")]
    OtherKeys(crate::document::Complaint),
    /// The sealing keys cannot be used.
    #[error("the sealing keys cannot be used")]
    Seal(#[from] crate::seal::SealError),
    /// A TLS file cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] crate::http::tls::TlsError),
    /// A listener cannot be opened.
    #[error("a listener cannot be opened")]
    Listen(#[from] listener::ListenError),
    /// The operating system gave no thread or runtime.
    #[error("no thread could be started")]
    Threads(#[from] std::io::Error),
    /// The operating system let no signal handler be installed.
    #[error("the signal handlers could not be installed")]
    Signals(#[source] std::io::Error),
}

/// What a Sidegate finds around it: the time, the names and the authorities. A test gives its own.
pub struct Outside {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who knows the addresses of third parties.
    pub names: Names,
    /// Whom third parties' certificates must come from.
    pub third_parties: ClientTls,
}

/// Why a Sidegate that was started ends in failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A listener ended though nobody asked it to. A process that nobody can reach must end, so that another is started.
    #[error("{0}")]
    Listener(String),
}

/// A Sidegate that serves until it is shut down.
pub struct Running {
    addresses: Vec<(&'static str, Address)>,
    reloader: Arc<Reloader>,
    stages: Stages,
    readiness: Readiness,
    workers: Vec<JoinHandle<()>>,
    /// Listeners that ended though nobody asked them to.
    dead: UnboundedReceiver<String>,
    signals: EndSignals,
    service: Option<Arc<ServiceSide>>,
    shared: Runtime,
}

/// Builds every room from its settings and starts the listeners. What deserves a look without stopping anything is for
/// [`rehearsal`] to tell.
///
/// # Errors
/// The first thing that cannot be built; nothing is left running.
pub fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    start_in(settings, Outside { clock, names: Names::default(), third_parties: ClientTls::default() })
}

/// As [`start`], in a world that is given.
///
/// # Errors
/// As [`start`].
pub fn start_in(settings: Settings, outside: Outside) -> Result<Running, StartError> {
    let clock = Arc::clone(&outside.clock);
    crate::http::tls::install_crypto();
    let shared = Builder::new_multi_thread().worker_threads(SHARED_THREADS).enable_all().build()?;
    // Before anybody can know that it runs.
    let signals = enter(shared.handle(), Signals::install).map_err(StartError::Signals)?;
    let access_log = match settings.access_log {
        AccessLogTo::Stdout => AccessLog::stdout()?,
        AccessLogTo::Off => AccessLog::off(),
    };
    let described = Described::of(&settings);
    let telemetry = Telemetry::new(access_log.sampling(settings.access_log_sample), Arc::clone(&clock));
    let verifier = verifier(settings.tokens, &telemetry, &clock)?;
    let service = match settings.service {
        Some(service) => {
            let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(settings.integrations)));
            let parts = (catalog, Arc::clone(&verifier), Arc::clone(&telemetry));
            let keys = service.sealing_keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>();
            let built = ServiceSide::build(service, parts, outside, shared.handle().clone());
            Some(Arc::new(built.map_err(|error| placed(error, &settings.places, &keys))?))
        }
        None => None,
    };
    let snapshot =
        Snapshot::first(settings.upstreams, verifier)?.guarded_by(settings.gate).counted_by(&telemetry);
    let current = Arc::new(ArcSwap::from_pointee(snapshot));
    let readiness = readiness(&current);
    let traffic = TrafficSide {
        current,
        telemetry: Arc::clone(&telemetry),
        service: service.clone(),
        readiness: readiness.clone(),
    };

    let stages = Stages::default();
    let unless_started = stages.hard_stop.clone().drop_guard();
    let (dying, dead) = unbounded_channel();
    traffic.current.load().verifier.start(shared.handle(), &stages.hard_stop)?;
    if let Some(service) = &service {
        shared.spawn(Arc::clone(service).leave(stages.stop.clone()));
        shared.spawn(Arc::clone(service).go_round(stages.stop.clone()));
    }
    let mut addresses = Vec::new();
    let (listeners, count) = (&settings.listeners, settings.workers);
    let (workers, certificates) = traffic.start_workers(listeners, count, &stages, &dying, &mut addresses)?;
    let started = Started {
        sources: settings.sources,
        fixed: settings.fixed,
        poll: settings.reload.poll,
        watched: settings.watched,
        shutdown: settings.shutdown,
        described,
        certificates,
    };
    let background = Background { runtime: shared.handle().clone(), stop: stages.hard_stop.clone() };
    let (of_reloader, of_clock) = (Arc::clone(&telemetry), Arc::clone(&clock));
    let reloader =
        Reloader::new(started, traffic.current, service.clone(), of_reloader, of_clock, background);
    let operator = Operator {
        reloader: Arc::clone(&reloader),
        service: service.clone(),
        readiness: readiness.clone(),
        telemetry,
        started: clock.now(),
        clock,
        listeners: Vec::new(),
        drain: stages.drain.clone(),
    };
    operator.listen(listeners, shared.handle(), &stages, &dying, &mut addresses)?;
    for (name, address) in &addresses {
        tracing::info!(listener = name, %address, "listening");
    }
    shared.spawn(Arc::clone(&reloader).follow_signals(signals.hangup, stages.stop.clone()));
    shared.spawn(Arc::clone(&reloader).follow_files(stages.stop.clone()));
    if let Some(service) = &service {
        service.count_rows();
        service.recover();
    }
    readiness.set_ready();
    unless_started.disarm();
    Ok(Running {
        addresses,
        reloader,
        stages,
        readiness,
        workers,
        dead,
        signals: signals.end,
        service,
        shared,
    })
}

/// Names the place of sealing keys with which the store cannot be opened.
fn placed(error: StartError, places: &Places, keys: &[String]) -> StartError {
    match error {
        StartError::Store(error @ (StoreError::WrongKey { .. } | StoreError::MissingKeys { .. })) => {
            StartError::OtherKeys(rehearsal::unfit_keys(places, keys, &error))
        }
        other => other,
    }
}

/// Ready when started, and when the key set of every workspace that requires one is there.
fn readiness(current: &Current) -> Readiness {
    let (current, was_ready) = (Arc::clone(current), AtomicBool::new(false));
    Readiness::with(move || {
        let keys = current.load().verifier.key_status();
        let unmet = describe::unmet(&keys, was_ready.load(Ordering::Relaxed));
        was_ready.fetch_or(unmet.is_empty(), Ordering::Relaxed);
        unmet
    })
}

/// The keys of every workspace, counted in the metrics.
fn verifier(
    config: token::Config,
    telemetry: &Telemetry,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Verifier>, StartError> {
    let (verifier, _) = Verifier::new(config, Arc::clone(clock)).map_err(StartError::Keys)?;
    Ok(Arc::new(verifier.counting(telemetry.metrics.tokens.clone())))
}

impl Running {
    /// The name of each listener and the address it really has, port 0 resolved.
    #[must_use]
    pub fn addresses(&self) -> &[(&'static str, Address)] {
        &self.addresses
    }

    /// Reads the configuration again and puts it in force if nothing is wrong with it, as SIGHUP does.
    #[must_use]
    pub fn reload(&self) -> Report {
        self.reloader.reload(Cause::Request)
    }

    /// How the last reload ended, whoever wanted it.
    #[must_use]
    pub fn last_reload(&self) -> Option<Report> {
        self.reloader.last()
    }

    /// Serves until SIGTERM, SIGINT or a drain, then winds down; or until a listener has died.
    ///
    /// # Errors
    /// A listener died. What was in flight elsewhere was finished then.
    pub fn until_signalled(mut self) -> Result<Ended, RunError> {
        let drain = self.stages.drain.clone();
        let died = self.shared.block_on(async {
            tokio::select! {
                () = self.signals.next() => None,
                () = drain.cancelled() => None,
                died = self.dead.recv() => died,
            }
        });
        if let Some(died) = &died {
            tracing::error!("{died}");
        }
        tracing::info!("stopping");
        let ended = self.wind_down();
        died.map_or(Ok(ended), |died| Err(RunError::Listener(died)))
    }

    /// Winds down now: readiness fails, requests in flight finish, exchanges are stored, the store closes last. A further
    /// signal ends the stage that it finds.
    pub fn wind_down(mut self) -> Ended {
        self.reloader.count_as_draining();
        let workers = self.workers;
        let (gone, drained) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            for worker in workers {
                let _ = worker.join();
            }
            let _ = gone.send(());
        });
        let drained = async {
            let _ = drained.await;
        };
        let ended = self.shared.block_on(lifecycle::wind_down(
            self.reloader.shutdown(),
            &self.stages,
            &self.readiness,
            &mut self.signals,
            drained,
        ));
        let stored = match self.service {
            Some(service) => self.shared.block_on(self.signals.unless_signalled(service.drain())),
            None => Ended::Drained,
        };
        if stored == Ended::CutShort {
            tracing::error!(
                "stopped by a further signal while tokens were being refreshed: some may be lost"
            );
        }
        self.shared.shutdown_timeout(Duration::from_secs(1));
        if stored == Ended::Drained { ended } else { stored }
    }
}

fn lines<T: std::fmt::Display>(complaints: &[T]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
