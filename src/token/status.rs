//! How the keys of each workspace are, for readiness, the status page and the operator.
//! Never shows a key.

use super::keys::{Algorithm, Key};
use crate::clock::Timestamp;
use crate::names::{KeyId, WorkspaceKey};

/// How a workspace's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Which workspace.
    pub workspace: WorkspaceKey,
    /// Whether the key set that the configuration names is there and not too old; true where it names none.
    pub loaded: bool,
    /// Whether the process is not ready without it.
    pub required: bool,
    /// The keys that verify its tokens now.
    pub keys: Vec<KeyName>,
    /// How many revocations apply to it.
    pub revocations: usize,
    /// Rises whenever its keys or revocations change.
    pub generation: u64,
    /// When its set was last read and found good; none before the first time, and where there is no set.
    pub last_success: Option<Timestamp>,
    /// Why the last reading of its set or its revocations failed; none once it succeeded again.
    pub last_error: Option<String>,
}

impl KeyStatus {
    /// Whether traffic may come as far as this workspace is concerned.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.loaded || !self.required
    }
}

/// What a key is called, and what it is for; never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// Where it comes from: `secret`, `publicKeys main` or `jwks kid abc`.
    pub name: String,
    /// The only `kid` that it serves; without one it serves any.
    pub kid: Option<KeyId>,
    /// What it verifies.
    pub algorithms: Vec<Algorithm>,
}

impl KeyName {
    pub(super) fn of(key: &Key) -> Self {
        Self { name: key.name().to_owned(), kid: key.kid().cloned(), algorithms: key.algorithms().collect() }
    }
}

/// How the reading of a set goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_error: Option<String>,
}
