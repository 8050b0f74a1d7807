//! The threads that serve traffic: one for each worker, with its own runtime, sockets and upstream connections, so that
//! a request never crosses threads (docs/decisions/0001-a-runtime-per-worker.md). Never knows what a request is for.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinError, JoinSet};

use super::StartError;
use super::leaving::Leaving;
use super::lifecycle::Stages;
use super::service::ServiceSide;
use crate::admin::readiness::Readiness;
use crate::config::Listeners;
use crate::http::listener::{self, Address, Bound, Handler, ListenError};
use crate::http::tls::ListenerTls;
use crate::inbound::{Current, Inbound};
use crate::report::report;
use crate::telemetry::Telemetry;

/// The name of each listener and the address it really has.
pub(super) type Addresses = Vec<(&'static str, Address)>;

/// What every worker shares.
pub(super) struct TrafficSide {
    pub(super) current: Current,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) service: Option<Arc<ServiceSide>>,
    pub(super) readiness: Readiness,
}

/// Where listeners are reported that ended though nobody asked them to.
pub(super) type Dying = UnboundedSender<String>;

/// A listener at work.
type Serving = Pin<Box<dyn Future<Output = Result<(), ListenError>> + Send>>;

impl TrafficSide {
    /// Binds every socket, then starts the threads. The certificates of listeners are for a reload.
    pub(super) fn start_workers(
        &self,
        listeners: &Listeners,
        count: usize,
        stages: &Stages,
        dying: &Dying,
        addresses: &mut Addresses,
    ) -> Result<(Vec<JoinHandle<()>>, Vec<ListenerTls>), StartError> {
        let mut certificates = BTreeMap::new();
        let mut configs: Vec<_> =
            listeners.inbound.iter().map(|config| ("inbound", config.clone())).collect();
        configs.extend(listeners.outbound.iter().map(|config| ("outbound", config.clone())));
        configs.extend(listeners.connect.iter().map(|config| ("connect", config.clone())));
        let mut workers = Vec::new();
        for worker in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let leaving = self.readiness.clone();
            let inbound = Arc::new(Inbound::new(Arc::clone(&self.current), Arc::clone(&self.telemetry)));
            let inbound = Leaving::new(inbound, leaving.clone());
            let outbound = self.service.as_ref().map(|service| service.listener()).transpose()?;
            let outbound = outbound.map(|outbound| Leaving::new(Arc::new(outbound), leaving.clone()));
            let browsers = self.service.as_ref().map(|service| Arc::new(service.browser_listener()));
            let browsers = browsers.map(|browsers| Leaving::new(browsers, leaving));
            let mut serving = Vec::new();
            for (number, (name, config)) in configs.iter_mut().enumerate() {
                // A Unix socket cannot be bound once per worker; the first worker serves it.
                if worker > 0 && matches!(config.address, Address::Unix(_)) {
                    continue;
                }
                if worker == 0 && count > 1 && matches!(config.address, Address::Tcp(_)) {
                    // Once alone: a shared port would let two Sidegates serve side by side and nobody know.
                    enter(runtime.handle(), || listener::bind(config, false))?;
                }
                let mut bound = enter(runtime.handle(), || listener::bind(config, count > 1))?
                    .counted_by(self.telemetry.metrics.connections(name));
                if let Some(tls) = bound.tls() {
                    // The workers share what the first has loaded, so that one reload is for all.
                    bound = bound.with_tls(certificates.entry(number).or_insert(tls).clone());
                }
                if worker == 0 {
                    addresses.push((name, bound.address()));
                    // Port 0 became a real port: the other workers join it.
                    config.address = bound.address();
                }
                match (*name, &outbound) {
                    ("outbound", Some(outbound)) => serving.push(serve(bound, Arc::clone(outbound), stages)),
                    ("connect", _) => {
                        serving.extend(browsers.as_ref().map(|one| serve(bound, Arc::clone(one), stages)));
                    }
                    _ => serving.push(serve(bound, Arc::clone(&inbound), stages)),
                }
            }
            let dying = dying.clone();
            let thread = std::thread::Builder::new().name(format!("worker-{worker}"));
            workers.push(thread.spawn(move || work(&runtime, serving, &dying))?);
        }
        Ok((workers, certificates.into_values().collect()))
    }
}

/// Serves until every listener has ended.
fn work(runtime: &Runtime, serving: Vec<Serving>, dying: &Dying) {
    runtime.block_on(async {
        let mut listeners: JoinSet<_> = serving.into_iter().collect();
        while let Some(ended) = listeners.join_next().await {
            tell_death(ended, dying);
        }
    });
}

/// Reports a listener that ended otherwise than by a stop.
pub(super) fn tell_death(ended: Result<Result<(), ListenError>, JoinError>, dying: &Dying) {
    let why = match ended {
        Ok(Ok(())) => return,
        Ok(Err(dead)) => report(&dead).to_string(),
        Err(panicked) => format!("a listener ended in a defect: {}", report(&panicked)),
    };
    // Nobody listens any more where the process is at its end anyway.
    let _ = dying.send(why);
}

fn serve<H: Handler>(bound: Bound, handler: Arc<H>, stages: &Stages) -> Serving {
    Box::pin(bound.serve(handler, stages.stop.clone(), stages.hard_stop.clone()))
}

/// Binding registers the socket with a runtime, which must be the one that serves it.
pub(super) fn enter<T>(runtime: &Handle, bind: impl FnOnce() -> T) -> T {
    let _entered = runtime.enter();
    bind()
}
