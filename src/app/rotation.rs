//! Sealing everything anew under the first key while traffic goes on: a few rows at a time, one rotation at a time.
//! Never keeps a place of its own: each row says which key it is under, so a rotation that was killed goes on with the
//! next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use crate::admin::sealing::{KeyRows, Rotation};
use crate::clock::Clock;
use crate::report::report;
use crate::store::{KeyUse, Resealed, Rows, Store, StoreError};
use crate::telemetry::metrics::SealingMetrics;

/// Rows that share a transaction. Whoever writes waits for one of these at most.
const BATCH: usize = 64;
/// Rows that are named of those that do not open.
const NAMED: usize = 20;

/// The rotations of one store.
pub(super) struct Rotations {
    store: Store,
    metrics: SealingMetrics,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Rotation>>,
}

impl Rotations {
    pub(super) fn new(store: Store, metrics: SealingMetrics, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { store, metrics, clock, last: Mutex::default() })
    }

    /// The ids of the keys, the one that seals first.
    pub(super) fn keys(&self) -> Vec<String> {
        self.store.sealing_keys()
    }

    /// The rotation under way, or the last one.
    pub(super) fn last(&self) -> Option<Rotation> {
        self.state().clone()
    }

    /// What is under each key, counted now; those that are configured first.
    pub(super) async fn rows(&self) -> Result<Vec<KeyRows>, StoreError> {
        let KeyUse(mut used) = self.store.key_use().await?;
        let configured = self.keys();
        let row = |id: String, Rows { connections, customers, consents }, configured, seals| KeyRows {
            id,
            configured,
            seals,
            connections,
            customers,
            consents,
        };
        let mut rows = Vec::new();
        for (at, id) in configured.into_iter().enumerate() {
            let of_this = used.remove(&id).unwrap_or_default();
            rows.push(row(id, of_this, true, at == 0));
        }
        rows.extend(used.into_iter().map(|(id, of_this)| row(id, of_this, false, false)));
        Ok(rows)
    }

    /// Counts the rows that wait for a rotation, for the metrics.
    pub(super) async fn count(&self) {
        match self.outdated().await {
            Ok(rows) => self.metrics.outdated(rows),
            Err(error) => tracing::error!(error = %report(&error), "the store's rows cannot be counted"),
        }
    }

    /// Begins a rotation, or finds the one that is under way.
    pub(super) fn begin(self: &Arc<Self>, runtime: &Handle) -> Rotation {
        let mut state = self.state();
        if let Some(running) = state.as_ref().filter(|last| last.running) {
            return running.clone();
        }
        let begun = self.fresh();
        *state = Some(begun.clone());
        drop(state);
        let (this, inner) = (Arc::clone(self), runtime.clone());
        runtime.spawn(async move {
            let work = Arc::clone(&this);
            let error = match inner.spawn(async move { work.rotate().await }).await {
                Ok(ended) => ended.err().map(|error| report(&error).to_string()),
                Err(defect) => Some(format!("it ended in a defect of Sidegate: {defect}")),
            };
            this.count().await;
            this.end(error);
        });
        begun
    }

    fn fresh(&self) -> Rotation {
        Rotation {
            key: self.keys().into_iter().next().unwrap_or_default(),
            running: true,
            started: self.clock.now(),
            ended: None,
            found: 0,
            resealed: 0,
            failed: 0,
            failures: Vec::new(),
            error: None,
        }
    }

    async fn rotate(&self) -> Result<(), StoreError> {
        let found = self.outdated().await?;
        self.note(|rotation| rotation.found = found);
        self.metrics.outdated(found);
        self.count_in(&self.store.reseal_spilled().await);
        let mut after = None;
        loop {
            let rows = self.store.outdated(after, BATCH).await?;
            let Some(last) = rows.last().cloned() else { return Ok(()) };
            self.count_in(&self.store.reseal(rows).await?);
            after = Some(last);
        }
    }

    fn count_in(&self, Resealed { rows, failures }: &Resealed) {
        self.metrics.resealed(*rows, failures.len() as u64);
        self.note(|rotation| {
            rotation.resealed += rows;
            rotation.failed += failures.len() as u64;
            let room = NAMED.saturating_sub(rotation.failures.len());
            rotation.failures.extend(failures.iter().take(room).map(|error| report(error).to_string()));
        });
        for error in failures {
            tracing::error!(error = %report(error), "a row was not sealed anew");
        }
    }

    /// Rows that are not under the first key.
    async fn outdated(&self) -> Result<u64, StoreError> {
        let rows = self.rows().await?;
        Ok(rows.iter().filter(|row| !row.seals).map(KeyRows::total).sum())
    }

    fn end(&self, error: Option<String>) {
        let ended = self.clock.now();
        self.note(|rotation| {
            (rotation.running, rotation.ended, rotation.error) = (false, Some(ended), error);
            let Rotation { key, resealed, failed, .. } = rotation;
            match &rotation.error {
                None => tracing::info!(key, resealed, failed, "the sealing key was rotated"),
                Some(error) => tracing::error!(key, resealed, failed, error, "the rotation stopped"),
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut Rotation)) {
        if let Some(rotation) = self.state().as_mut() {
            change(rotation);
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Rotation>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
