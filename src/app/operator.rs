//! What the admin listener shows and does, gathered from every room.
//! Never decides anything: it asks and passes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::StartError;
use super::describe::{self, Described};
use super::lifecycle::Stages;
use super::reload::{Cause, Reloader, Report, aside};
use super::service::ServiceSide;
use super::workers::{Addresses, Dying, enter, tell_death};
use crate::admin::control::Control;
use crate::admin::health::Health;
use crate::admin::preview::{Preview, Wanted};
use crate::admin::readiness::Readiness;
use crate::admin::sealing::{KeyRows, Rotation, Sealing};
use crate::admin::status::{InFlight, Listener, Operations, Reloaded, Requests, Status};
use crate::clock::{Clock, Timestamp};
use crate::config::Listeners;
use crate::http::listener::{self, Address, Bound, Handler};
use crate::report::report;
use crate::telemetry::Telemetry;

/// The process as its operator sees it.
pub(super) struct Operator {
    pub(super) reloader: Arc<Reloader>,
    pub(super) service: Option<Arc<ServiceSide>>,
    pub(super) readiness: Readiness,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
    pub(super) listeners: Vec<Listener>,
    /// Cancelled when the process shall stop.
    pub(super) drain: CancellationToken,
}

impl Operator {
    /// Opens the listeners for probes and for the operator, on the runtime that is not busy with traffic. They answer to
    /// the very end: whoever watches the drain must be able to.
    pub(super) fn listen(
        mut self,
        listeners: &Listeners,
        shared: &Handle,
        stages: &Stages,
        dying: &Dying,
        addresses: &mut Addresses,
    ) -> Result<(), StartError> {
        let bind = |config| enter(shared, || listener::bind(config, false));
        if let Some(config) = &listeners.health {
            let bound = bind(config)?;
            addresses.push(("health", bound.address()));
            let health = Arc::new(Health::new(Arc::clone(&self.telemetry), self.readiness.clone()));
            serve(shared, bound, health, stages, dying);
        }
        if let Some(config) = &listeners.admin {
            let bound = bind(config)?;
            addresses.push(("admin", bound.address()));
            let shown =
                |(name, address): &(&'static str, Address)| Listener { name, address: address.to_string() };
            self.listeners = addresses.iter().map(shown).collect();
            let address = bound.address();
            serve(shared, bound, Arc::new(Control::new(Arc::new(self), address)), stages, dying);
        }
        Ok(())
    }
}

fn serve<H: Handler>(shared: &Handle, bound: Bound, handler: Arc<H>, stages: &Stages, dying: &Dying) {
    let (end, dying) = (stages.hard_stop.clone(), dying.clone());
    shared.spawn(async move { tell_death(Ok(bound.serve(handler, end.clone(), end).await), &dying) });
}

impl Operations for Operator {
    fn status(&self) -> Status {
        let metrics = self.telemetry.metrics.render();
        let Described { upstreams, integrations } = self.reloader.described();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            now: self.clock.now(),
            started: self.started,
            unmet: self.readiness.unmet(),
            generation: self.reloader.generation(),
            last_reload: self.reloader.last().as_ref().map(Report::shown),
            listeners: self.listeners.clone(),
            requests: requests(&metrics),
            in_flight: in_flight(&metrics),
            workspaces: self.reloader.keys().iter().map(describe::workspace).collect(),
            upstreams,
            integrations,
            connections: self.service.as_ref().map(|service| describe::connections(&service.census())),
            sealing: self.service.as_ref().map(|service| Sealing {
                keys: service.rotations().keys(),
                rotation: service.rotations().last(),
            }),
        }
    }

    async fn reload(&self) -> Reloaded {
        let reloader = Arc::clone(&self.reloader);
        let report = aside(move || reloader.reload(Cause::Request)).await;
        report.unwrap_or_else(|| self.reloader.defect(Cause::Request)).shown()
    }

    fn drain(&self) {
        self.drain.cancel();
    }

    fn rotate(&self) -> Option<Rotation> {
        self.service.as_ref().map(|service| service.rotate())
    }

    async fn preview(&self, wanted: Wanted) -> Result<Preview, String> {
        match &self.service {
            Some(service) => service.preview(wanted).await,
            None => Err("this Sidegate has no outbound listener and no store".into()),
        }
    }

    async fn keys(&self) -> Option<Vec<KeyRows>> {
        let rows = self.service.as_ref()?.rotations().rows().await;
        rows.inspect_err(|error| {
            tracing::error!("the rows of the store cannot be counted: {}", report(error));
        })
        .ok()
    }
}

/// Requests by door and reason, over all upstreams and workspaces; the most first.
fn requests(metrics: &str) -> Vec<Requests> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (labels, count) in samples(metrics, "sidegate_requests_total") {
        let key = (label(labels, "door").to_owned(), label(labels, "reason").to_owned());
        *counts.entry(key).or_default() += count;
    }
    let shown = |((door, reason), count)| Requests { door, reason, count };
    let mut rows: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).map(shown).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn in_flight(metrics: &str) -> Vec<InFlight> {
    let mut rows: Vec<_> = samples(metrics, "http_server_active_requests")
        .map(|(labels, count)| InFlight { door: label(labels, "door").to_owned(), count })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.count, row.door == "inbound")));
    rows
}

/// The samples of one metric on a page in the OpenMetrics format, with whole numbers: labels and value.
fn samples<'a>(page: &'a str, name: &str) -> impl Iterator<Item = (&'a str, u64)> {
    page.lines().filter_map(move |line| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        Some((labels, value.parse().ok()?))
    })
}

/// A label's value. None that is shown here has a quote in it: they are words of ours.
fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let named = |pair: &'a str| pair.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"');
    labels.split(',').find_map(named).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE sidegate_requests counter\n\
        sidegate_requests_total{door=\"inbound\",upstream=\"a\",reason=\"ok\",workspace=\"acme\"} 7\n\
        sidegate_requests_total{door=\"inbound\",upstream=\"b\",reason=\"ok\",workspace=\"\"} 3\n\
        sidegate_requests_total{door=\"inbound\",upstream=\"b\",reason=\"expired\",workspace=\"\"} 12\n\
        sidegate_requests_total{door=\"api\",upstream=\"\",reason=\"ok\",workspace=\"\"} 0\n\
        http_server_active_requests{door=\"inbound\"} 2\n";

    #[test]
    fn requests_are_summed_by_door_and_reason_the_most_first() {
        let row = |reason: &str, count| Requests { door: "inbound".into(), reason: reason.into(), count };
        assert_eq!(requests(PAGE), [row("expired", 12), row("ok", 10)]);
        assert_eq!(in_flight(PAGE), [InFlight { door: "inbound".into(), count: 2 }]);
    }

    #[test]
    fn the_metrics_have_these_names_and_labels() {
        let metrics =
            crate::telemetry::metrics::Metrics::new(&prometheus_client::metrics::counter::Counter::default());
        let doors: Vec<_> = in_flight(&metrics.render()).into_iter().map(|row| row.door).collect();
        assert!(doors.contains(&"inbound".to_owned()), "{doors:?}");
        let page = metrics.render();
        assert!(
            samples(&page, "sidegate_requests_total").all(|(labels, _)| !label(labels, "reason").is_empty())
        );
    }
}
