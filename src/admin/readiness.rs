//! Whether traffic should come here: everything is started, every named condition is met, nobody is draining.
//! Knows nothing of what a condition means, or of who asks.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The answer to "should traffic come?". Cheap to clone; all clones are the same readiness.
#[derive(Clone, Default)]
pub struct Readiness {
    shared: Arc<Shared>,
}

/// The life of the process, which only goes on.
const STARTING: u8 = 0;
const STARTED: u8 = 1;
const DRAINING: u8 = 2;

#[derive(Default)]
struct Shared {
    stage: AtomicU8,
    conditions: Mutex<Vec<State>>,
}

/// What one condition last said.
struct State {
    name: &'static str,
    unmet: Option<String>,
}

/// One part of being ready, set by whoever knows. Cheap to clone; a condition stays when its last handle goes.
#[derive(Clone)]
pub struct Condition {
    index: usize,
    shared: Arc<Shared>,
}

/// A condition that keeps traffic away, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The condition's name; `started` or `draining` for the process itself.
    pub condition: &'static str,
    /// What is missing, for the operator.
    pub reason: String,
}

impl Readiness {
    /// Adds a condition, unmet until it is first set. Its name is for the operator: `store`, `keys`.
    #[must_use]
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.shared.conditions();
        conditions.push(State { name, unmet: Some("not started".into()) });
        Condition { index: conditions.len() - 1, shared: self.shared.clone() }
    }

    /// Everything is started; from now on only the conditions count.
    pub fn set_ready(&self) {
        self.shared.stage.fetch_max(STARTED, Ordering::AcqRel);
    }

    /// Traffic should go elsewhere from now on; there is no way back.
    pub fn set_draining(&self) {
        self.shared.stage.fetch_max(DRAINING, Ordering::AcqRel);
    }

    /// What keeps traffic away; empty when ready.
    #[must_use]
    pub fn unmet(&self) -> Vec<Unmet> {
        let process = match self.shared.stage.load(Ordering::Acquire) {
            STARTING => Some(Unmet { condition: "started", reason: "the process is starting".into() }),
            STARTED => None,
            _ => Some(Unmet { condition: "draining", reason: "the process is stopping".into() }),
        };
        let conditions = self.shared.conditions();
        let unmet = conditions
            .iter()
            .filter_map(|state| Some(Unmet { condition: state.name, reason: state.unmet.clone()? }));
        process.into_iter().chain(unmet).collect()
    }
}

impl Condition {
    /// Says whether the condition is met; the text of an `Err` is shown to the operator and must hold no secret.
    pub fn set(&self, state: Result<(), String>) {
        if let Some(condition) = self.shared.conditions().get_mut(self.index) {
            condition.unmet = state.err();
        }
    }
}

impl Shared {
    /// The list is whole after every change, so a panic elsewhere does not spoil it.
    fn conditions(&self) -> MutexGuard<'_, Vec<State>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(readiness: &Readiness) -> Vec<&'static str> {
        readiness.unmet().iter().map(|unmet| unmet.condition).collect()
    }

    #[test]
    fn it_is_ready_when_it_is_started_and_every_condition_is_met() {
        let readiness = Readiness::default();
        let (store, keys) = (readiness.condition("store"), readiness.condition("keys"));
        assert_eq!(names(&readiness), ["started", "store", "keys"]);
        readiness.set_ready();
        store.set(Ok(()));
        assert_eq!(names(&readiness), ["keys"]);
        keys.set(Ok(()));
        assert_eq!(names(&readiness), [""; 0]);
    }

    #[test]
    fn a_condition_can_be_lost_again_and_says_why() {
        let readiness = Readiness::default();
        readiness.set_ready();
        let store = readiness.clone().condition("store");
        store.set(Ok(()));
        store.clone().set(Err("the disk is full".into()));
        let unmet = Unmet { condition: "store", reason: "the disk is full".into() };
        assert_eq!(readiness.unmet(), [unmet]);
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::default();
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!(names(&readiness), ["draining"]);
    }
}
