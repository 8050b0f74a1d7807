//! One workspace as it is now: its keys and revocations, which change while requests are answered.
//! Never knows where a new set or list came from; `source` and its tasks do.
//!
//! Whoever verifies loads a [`State`] once and goes by it to the end. What was verified by it remembers its generation,
//! so that one comparison tells whether keys or revocations have changed since.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::keys::{Algorithm, JwksSource, KeyComplaint, KeySet, WorkspaceConfig};
use super::revocations::Revocations;
use super::status::{KeyName, KeyStatus, Progress};
use super::wanted::Wanted;
use crate::clock::Timestamp;

/// A configured workspace.
pub(super) struct Issuer {
    pub(super) config: WorkspaceConfig,
    state: ArcSwap<State>,
    /// The generation of `state`, for whoever has something to compare and does not need the rest.
    generation: Generation,
    /// Held while a state is replaced, for it is made from the one before.
    replacing: Mutex<()>,
    /// The text of the set in use, to make the same keys again for another configuration.
    set: Mutex<Option<Arc<str>>>,
    /// How the reading of the set goes.
    pub(super) progress: Mutex<Progress>,
    /// The keys that tokens ask for and that are not there.
    pub(super) wanted: Arc<Wanted>,
    /// Whether its tasks run.
    started: AtomicBool,
}

/// What a token is verified by.
#[derive(Debug)]
pub(super) struct State {
    pub(super) keys: KeySet,
    pub(super) revocations: Arc<Revocations>,
    /// Whether the set that the configuration names is part of the keys; true where it names none.
    pub(super) has_set: bool,
    pub(super) generation: u64,
}

/// A number that changes whenever keys or revocations do.
#[derive(Clone, Debug, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, generation: u64) {
        self.0.store(generation, Ordering::Release);
    }
}

impl Issuer {
    /// Prepares the keys and the list that the configuration holds.
    pub(super) fn new(config: WorkspaceConfig) -> (Self, Vec<KeyComplaint>) {
        let (keys, mut complaints) = KeySet::new(&config);
        let revocations = config.revoked.as_ref().map_or_else(Revocations::default, |file| {
            let shown = file.path.display().to_string();
            Revocations::read(&shown, &file.text, config.key.as_str()).unwrap_or_else(|problems| {
                complaints.extend(problems.into_iter().map(|problem| KeyComplaint {
                    workspace: config.key.clone(),
                    source_name: "revoked".to_owned(),
                    problem: problem.to_string(),
                    cure: String::new(),
                    fatal: true,
                }));
                Revocations::default()
            })
        });
        let source = config.jwks.as_ref().map(|jwks| &jwks.source);
        let set = match source {
            Some(JwksSource::File(file)) => Some(file.text.as_str().into()),
            Some(JwksSource::Url { .. }) | None => None,
        };
        let has_set = set.is_some() || source.is_none();
        let state = State { keys, revocations: Arc::new(revocations), has_set, generation: 0 };
        let issuer = Self {
            config,
            state: ArcSwap::from_pointee(state),
            generation: Generation::default(),
            replacing: Mutex::default(),
            set: Mutex::new(set),
            progress: Mutex::default(),
            wanted: Arc::default(),
            started: AtomicBool::new(false),
        };
        (issuer, complaints)
    }

    pub(super) fn state(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation.clone()
    }

    /// Takes another text of the set. Whether it was another at all; what is wrong with single entries is told.
    pub(super) fn take_set(&self, text: &str) -> Result<Option<Vec<KeyComplaint>>, String> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if set.as_deref() == Some(text) && self.state().has_set {
            return Ok(None);
        }
        let (keys, complaints) = self.state().keys.renewed(&self.config, text)?;
        self.replace(|before| State { keys, has_set: true, ..before });
        *set = Some(text.into());
        Ok(Some(complaints))
    }

    /// Gives up the set: it was not confirmed for too long.
    pub(super) fn give_up_set(&self) {
        let keys = self.state().keys.without_set();
        self.replace(|before| State { keys, has_set: false, ..before });
    }

    pub(super) fn take_revocations(&self, revocations: Revocations) {
        self.replace(|before| State { revocations: Arc::new(revocations), ..before });
    }

    /// Goes on with the set that `before` had from the same URL, for that may not answer just now.
    pub(super) fn inherit(&self, before: &Self) {
        let url = |issuer: &Self| match &issuer.config.jwks.as_ref()?.source {
            JwksSource::Url { url, .. } => Some(url.clone()),
            JwksSource::File(_) => None,
        };
        if url(self).is_none() || url(self) != url(before) || !before.state().has_set {
            return;
        }
        let text = before.set.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(text) = text
            && self.take_set(&text).is_ok()
        {
            let progress = before.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        }
    }

    fn replace(&self, change: impl FnOnce(State) -> State) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state.load_full();
        let generation = before.generation + 1;
        let copy = State {
            keys: before.keys.clone(),
            revocations: Arc::clone(&before.revocations),
            has_set: before.has_set,
            generation,
        };
        self.state.store(Arc::new(State { generation, ..change(copy) }));
        // Only now: whoever sees the new number must find the new state.
        self.generation.set(generation);
    }

    /// Whether another reading of the set could bring a key for `algorithm`.
    pub(super) fn may_bring(&self, algorithm: Algorithm) -> bool {
        let is_symmetric = Algorithm::HMAC.contains(&algorithm);
        match self.config.jwks.as_ref().map(|jwks| &jwks.source) {
            None => false,
            Some(JwksSource::Url { .. }) => !is_symmetric && self.config.allows(algorithm),
            Some(JwksSource::File(_)) => self.config.allows(algorithm),
        }
    }

    /// True the first time it is asked.
    pub(super) fn starts(&self) -> bool {
        !self.started.swap(true, Ordering::AcqRel)
    }

    pub(super) fn status(&self) -> KeyStatus {
        let state = self.state();
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        KeyStatus {
            workspace: self.config.key.clone(),
            loaded: state.has_set,
            required: self.config.jwks.as_ref().is_some_and(|jwks| jwks.required),
            keys: state.keys.keys().iter().map(|key| KeyName::of(key)).collect(),
            revocations: state.revocations.len(),
            generation: state.generation,
            last_success: progress.last_success,
            last_error: progress.last_error.clone(),
        }
    }

    /// When the set was last read and found good.
    pub(super) fn last_success(&self) -> Option<Timestamp> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).last_success
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("config", &self.config)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
