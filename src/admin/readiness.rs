//! Whether traffic should come here: everything is started, and nobody is draining.
//! Knows nothing of who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

/// The answer to "should traffic come?". Cheap to clone; all clones are the same readiness.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// The life of the process, which only goes on.
const STARTING: u8 = 0;
const STARTED: u8 = 1;
const DRAINING: u8 = 2;

/// What keeps traffic away, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// `started` or `draining`.
    pub condition: &'static str,
    /// What that means, for the operator.
    pub reason: &'static str,
}

impl Readiness {
    /// Everything is started.
    pub fn set_ready(&self) {
        self.0.fetch_max(STARTED, Ordering::AcqRel);
    }

    /// Traffic should go elsewhere from now on; there is no way back.
    pub fn set_draining(&self) {
        self.0.fetch_max(DRAINING, Ordering::AcqRel);
    }

    /// What keeps traffic away; none when ready.
    #[must_use]
    pub fn unmet(&self) -> Option<Unmet> {
        match self.0.load(Ordering::Acquire) {
            STARTING => Some(Unmet { condition: "started", reason: "the process is starting" }),
            STARTED => None,
            _ => Some(Unmet { condition: "draining", reason: "the process is stopping" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(readiness: &Readiness) -> Option<&'static str> {
        readiness.unmet().map(|unmet| unmet.condition)
    }

    #[test]
    fn it_is_ready_between_start_and_stop() {
        let readiness = Readiness::default();
        assert_eq!(unmet(&readiness), Some("started"));
        readiness.clone().set_ready();
        assert_eq!(unmet(&readiness), None);
        readiness.set_draining();
        assert_eq!(unmet(&readiness), Some("draining"));
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::default();
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!(unmet(&readiness), Some("draining"));
    }
}
