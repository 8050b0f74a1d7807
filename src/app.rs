//! Composition: settings in, a running Sidegate out. The only room that knows every other.
//! Never decides about a request; that is the listeners' business.

pub mod commands;
pub mod lifecycle;
mod open_files;
pub mod rehearsal;
pub mod reload;
mod service;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::admin::health::Health;
use crate::admin::readiness::Readiness;
use crate::clock::Clock;
use crate::config::{AccessLogTo, Listeners, Settings};
use crate::connector::Catalog;
use crate::http::listener::{self, Address, Bound, Handler};
use crate::inbound::{Current, Inbound, Snapshot};
use crate::telemetry::{AccessLog, Telemetry};
use crate::token::keys::KeyComplaint;
use crate::token::{self, Verifier};
use lifecycle::{Ended, Stages};
use reload::{Cause, Reloader, Report, Started};
use service::ServiceSide;

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
    Store(#[from] crate::store::StoreError),
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
}

/// A Sidegate that serves until it is shut down.
pub struct Running {
    addresses: Vec<(&'static str, Address)>,
    reloader: Arc<Reloader>,
    stages: Stages,
    readiness: Readiness,
    workers: Vec<JoinHandle<()>>,
    service: Option<Arc<ServiceSide>>,
    shared: Runtime,
}

/// Builds every room from its settings and starts the listeners. What deserves a look without stopping anything is for
/// [`rehearsal`] to tell.
///
/// # Errors
/// The first thing that cannot be built; nothing is left running.
pub fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    crate::http::tls::install_crypto();
    let shared = Builder::new_multi_thread().worker_threads(SHARED_THREADS).enable_all().build()?;
    let access_log = match settings.access_log {
        AccessLogTo::Stdout => AccessLog::stdout()?,
        AccessLogTo::Off => AccessLog::off(),
    };
    let telemetry = Telemetry::new(access_log.sampling(settings.access_log_sample), Arc::clone(&clock));
    let verifier = verifier(settings.tokens, &telemetry, &clock)?;
    let readiness = Readiness::default();

    let service = match settings.service {
        Some(service) => {
            let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(settings.integrations)));
            let parts = (catalog, Arc::clone(&verifier), Arc::clone(&telemetry), Arc::clone(&clock));
            Some(Arc::new(ServiceSide::build(service, parts, shared.handle().clone())?))
        }
        None => None,
    };
    let traffic = TrafficSide {
        current: Arc::new(ArcSwap::from_pointee(
            Snapshot::first(settings.upstreams, verifier)?.counted_by(&telemetry),
        )),
        telemetry: Arc::clone(&telemetry),
        service: service.clone(),
    };

    show_state(&telemetry, &traffic.current, &readiness);

    let stages = Stages::default();
    let unless_started = stages.hard_stop.clone().drop_guard();
    let mut addresses = Vec::new();
    let workers = traffic.start_workers(&settings.listeners, settings.workers, &stages, &mut addresses)?;
    if let Some(config) = &settings.listeners.health {
        let health = Arc::new(Health::new(Arc::clone(&telemetry), readiness.clone()));
        let bound = enter(shared.handle(), || listener::bind(config, false))?;
        addresses.push(("health", bound.address()));
        // Health answers to the very end: an orchestrator must be able to watch the drain.
        shared.spawn(bound.serve(health, stages.hard_stop.clone(), stages.hard_stop.clone()));
    }
    for (name, address) in &addresses {
        tracing::info!(listener = name, %address, "listening");
    }
    let started = Started {
        sources: settings.sources,
        fixed: settings.fixed,
        poll: settings.reload.poll,
        watched: settings.watched,
        shutdown: settings.shutdown,
    };
    let reloader = Reloader::new(started, traffic.current, service.clone(), telemetry, clock);
    let hangup = enter(shared.handle(), lifecycle::hangup)?;
    shared.spawn(Arc::clone(&reloader).follow_signals(hangup, stages.stop.clone()));
    shared.spawn(Arc::clone(&reloader).follow_files(stages.stop.clone()));
    readiness.set_ready();
    unless_started.disarm();
    Ok(Running { addresses, reloader, stages, readiness, workers, service, shared })
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

    /// Serves until SIGTERM or SIGINT, then winds down.
    ///
    /// # Errors
    /// The signal handlers could not be installed.
    pub fn until_signalled(self) -> std::io::Result<Ended> {
        self.shared.block_on(lifecycle::first_signal())?;
        tracing::info!("stopping");
        self.wind_down()
    }

    /// Winds down now: readiness fails, requests in flight finish, exchanges are stored, the store closes last. A further
    /// signal ends the stage that it finds.
    ///
    /// # Errors
    /// The handler of a second signal could not be installed.
    pub fn wind_down(self) -> std::io::Result<Ended> {
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
            drained,
        ))?;
        let stored = match self.service {
            Some(service) => self.shared.block_on(lifecycle::unless_signalled(service.drain()))?,
            None => Ended::Drained,
        };
        if stored == Ended::CutShort {
            tracing::error!(
                "stopped by a further signal while tokens were being refreshed: some may be lost"
            );
        }
        self.shared.shutdown_timeout(Duration::from_secs(1));
        Ok(if stored == Ended::Drained { ended } else { stored })
    }
}

/// What every worker shares.
struct TrafficSide {
    current: Current,
    telemetry: Arc<Telemetry>,
    service: Option<Arc<ServiceSide>>,
}

impl TrafficSide {
    /// One thread with its own runtime, sockets and upstream pools for each worker, so that a request never crosses
    /// threads (docs/decisions/0001-a-runtime-per-worker.md).
    fn start_workers(
        &self,
        listeners: &Listeners,
        count: usize,
        stages: &Stages,
        addresses: &mut Vec<(&'static str, Address)>,
    ) -> Result<Vec<JoinHandle<()>>, StartError> {
        let mut configs: Vec<_> =
            listeners.inbound.iter().map(|config| ("inbound", config.clone())).collect();
        configs.extend(listeners.outbound.iter().map(|config| ("outbound", config.clone())));
        let mut workers = Vec::new();
        for worker in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let inbound = Arc::new(Inbound::new(Arc::clone(&self.current), Arc::clone(&self.telemetry)));
            let outbound = self.service.as_ref().map(|service| service.listener()).transpose()?.map(Arc::new);
            let mut serving = Vec::new();
            for (name, config) in &mut configs {
                // A Unix socket cannot be bound once per worker; the first worker serves it.
                if worker > 0 && matches!(config.address, Address::Unix(_)) {
                    continue;
                }
                if worker == 0 && count > 1 && matches!(config.address, Address::Tcp(_)) {
                    // Once alone: a shared port would let two Sidegates serve side by side and nobody know.
                    enter(runtime.handle(), || listener::bind(config, false))?;
                }
                let bound = enter(runtime.handle(), || listener::bind(config, count > 1))?
                    .counted_by(self.telemetry.metrics.connections(name));
                if worker == 0 {
                    addresses.push((name, bound.address()));
                    // Port 0 became a real port: the other workers join it.
                    config.address = bound.address();
                }
                match (*name, &outbound) {
                    ("outbound", Some(outbound)) => serving.push(serve(bound, Arc::clone(outbound), stages)),
                    _ => serving.push(serve(bound, Arc::clone(&inbound), stages)),
                }
            }
            let thread = std::thread::Builder::new().name(format!("worker-{worker}"));
            workers.push(thread.spawn(move || {
                runtime.block_on(async {
                    let serving: Vec<_> = serving.into_iter().map(tokio::spawn).collect();
                    for listener in serving {
                        if let Ok(Err(dead)) = listener.await {
                            tracing::error!("a listener has ended: {}", crate::report::report(&dead));
                        }
                    }
                });
            })?);
        }
        Ok(workers)
    }
}

/// What the page of metrics asks others for when it is asked itself. Weakly, or telemetry would hold itself.
fn show_state(telemetry: &Telemetry, current: &Current, readiness: &Readiness) {
    let life = telemetry.metrics.life.clone();
    let (current, readiness) = (Arc::downgrade(current), readiness.clone());
    telemetry.metrics.read_when_asked(move || {
        let generation = current.upgrade().map_or(0, |current| current.load().generation);
        life.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        let is_draining = readiness.unmet().is_some_and(|unmet| unmet.condition == "draining");
        life.draining.set(i64::from(is_draining));
    });
}

type Serving = std::pin::Pin<Box<dyn Future<Output = Result<(), listener::ListenError>> + Send>>;

fn serve<H: Handler>(bound: Bound, handler: Arc<H>, stages: &Stages) -> Serving {
    Box::pin(bound.serve(handler, stages.stop.clone(), stages.hard_stop.clone()))
}

/// Binding registers the socket with a runtime, which must be the one that serves it.
fn enter<T>(runtime: &Handle, bind: impl FnOnce() -> T) -> T {
    let _entered = runtime.enter();
    bind()
}

fn lines<T: std::fmt::Display>(complaints: &[T]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
