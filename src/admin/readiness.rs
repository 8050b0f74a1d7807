//! Whether traffic should come here: everything is started, every condition is met, and nobody is draining.
//! Knows nothing of who asks, and nothing of what the conditions are about.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

/// The answer to "should traffic come?". Cheap to clone; all clones are the same readiness.
#[derive(Clone, Default)]
pub struct Readiness {
    life: Arc<AtomicU8>,
    conditions: Option<Arc<Conditions>>,
}

/// Looks which conditions are not met at the moment.
type Conditions = dyn Fn() -> Vec<Unmet> + Send + Sync;

/// The life of the process, which only goes on.
const STARTING: u8 = 0;
const STARTED: u8 = 1;
const DRAINING: u8 = 2;

/// What keeps traffic away, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// `started`, `keys` or `draining`.
    pub condition: &'static str,
    /// What that means, for the operator.
    pub reason: String,
}

impl Readiness {
    /// With more conditions than being started.
    #[must_use]
    pub fn with(conditions: impl Fn() -> Vec<Unmet> + Send + Sync + 'static) -> Self {
        Self { life: Arc::default(), conditions: Some(Arc::new(conditions)) }
    }

    /// Everything is started.
    pub fn set_ready(&self) {
        self.life.fetch_max(STARTED, Ordering::AcqRel);
    }

    /// Traffic should go elsewhere from now on; there is no way back.
    pub fn set_draining(&self) {
        self.life.fetch_max(DRAINING, Ordering::AcqRel);
    }

    /// Whether traffic should go elsewhere for good.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.life.load(Ordering::Acquire) == DRAINING
    }

    /// What keeps traffic away; nothing when ready.
    #[must_use]
    pub fn unmet(&self) -> Vec<Unmet> {
        let life = match self.life.load(Ordering::Acquire) {
            STARTING => Some(("started", "the process is starting")),
            STARTED => None,
            _ => Some(("draining", "the process is stopping")),
        };
        let life = life.map(|(condition, reason)| Unmet { condition, reason: reason.into() });
        let others = self.conditions.as_ref().map(|conditions| conditions()).unwrap_or_default();
        life.into_iter().chain(others).collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("unmet", &self.unmet()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(readiness: &Readiness) -> Vec<&'static str> {
        readiness.unmet().iter().map(|unmet| unmet.condition).collect()
    }

    #[test]
    fn it_is_ready_between_start_and_stop() {
        let readiness = Readiness::default();
        assert_eq!(unmet(&readiness), ["started"]);
        readiness.clone().set_ready();
        assert!(unmet(&readiness).is_empty());
        readiness.set_draining();
        assert_eq!(unmet(&readiness), ["draining"]);
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::default();
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!(unmet(&readiness), ["draining"]);
    }

    #[test]
    fn conditions_are_asked_each_time_and_told_beside_the_rest() {
        let met = Arc::new(AtomicU8::new(0));
        let seen = Arc::clone(&met);
        let missing = move || {
            let unmet = Unmet { condition: "keys", reason: "none of acme".into() };
            Vec::from_iter((seen.load(Ordering::Relaxed) == 0).then_some(unmet))
        };
        let readiness = Readiness::with(missing);
        assert_eq!(unmet(&readiness), ["started", "keys"]);
        readiness.set_ready();
        assert_eq!(unmet(&readiness), ["keys"]);
        met.store(1, Ordering::Relaxed);
        assert!(unmet(&readiness).is_empty());
    }
}
