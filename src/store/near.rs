//! What traffic reads again and again, near at hand for as long as nothing is written.
//! Never gives out what was read before a write that somebody has been told of.
//!
//! Everything kept is marked with the generation of the file it was read from, asked for before the reading; each write
//! ends that generation before it is answered. So a look-up after an answered write reads the file.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::record::{Connection, Opened};
use super::select::Reach;
use crate::names::{ConnectionId, IntegrationKey};

/// How long something is kept after its last use.
const KEPT: Duration = Duration::from_secs(600);

/// A generation of the file, see [`super::file::StoreFile::generation`].
pub(super) type Generation = u64;

/// By what a connection was selected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// Its id, its key, or its integration.
    Any(String),
    /// Its integration alone.
    OnlyOf(IntegrationKey),
}

/// What was read, and of which generation it is.
#[derive(Clone)]
struct Kept<T> {
    generation: Generation,
    value: T,
}

/// Neither table grows past the number of connections that may be kept open.
pub(super) struct Near {
    opened: Cache<ConnectionId, Kept<Opened>>,
    selected: Cache<(Reach, Wanted), Kept<Arc<Connection>>>,
}

impl Near {
    pub(super) fn new(most: u64) -> Self {
        let opened = Cache::builder().max_capacity(most).time_to_idle(KEPT).build();
        let selected = Cache::builder().max_capacity(most).time_to_idle(KEPT).build();
        Self { opened, selected }
    }

    /// A connection as it was opened last, and whether it is so still.
    pub(super) fn opened(&self, id: &ConnectionId, now: Generation) -> Option<(Opened, bool)> {
        let kept = self.opened.get(id)?;
        Some((kept.value, kept.generation == now))
    }

    pub(super) fn keep_opened(&self, opened: &Opened, generation: Generation) {
        self.opened.insert(opened.connection.id.clone(), Kept { generation, value: opened.clone() });
    }

    /// What was selected last, if it still is.
    pub(super) fn selected(&self, by: &(Reach, Wanted), now: Generation) -> Option<Arc<Connection>> {
        let kept = self.selected.get(by)?;
        (kept.generation == now).then_some(kept.value)
    }

    pub(super) fn keep_selected(
        &self,
        by: (Reach, Wanted),
        connection: &Arc<Connection>,
        generation: Generation,
    ) {
        self.selected.insert(by, Kept { generation, value: Arc::clone(connection) });
    }

    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.opened.invalidate_all();
        self.selected.invalidate_all();
    }
}

#[cfg(test)]
mod tests;
