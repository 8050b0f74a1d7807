//! From the first signal to the exit code: drain, grace, hard stop.
//! Never knows what is being drained.

use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::readiness::Readiness;
use crate::config::Shutdown;

/// How long what is dropped may take to end: its last lines are for the access log.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The stages of a stop.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// Begin to stop: somebody asked for it otherwise than by a signal.
    pub drain: CancellationToken,
    /// Take no more connections; finish what is in flight.
    pub stop: CancellationToken,
    /// Drop what is still in flight.
    pub hard_stop: CancellationToken,
}

/// The signals an operator sends, from the moment they are installed: until then, and where nobody takes them, each would
/// end the process at once.
pub struct Signals {
    /// Read the configuration again.
    pub hangup: Signal,
    /// Wind down; a further one ends the stage that it finds.
    pub end: EndSignals,
}

impl Signals {
    /// Installs the handlers, on the runtime that is entered.
    ///
    /// # Errors
    /// The operating system refuses one.
    pub fn install() -> std::io::Result<Self> {
        let end = EndSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self { hangup: signal(SignalKind::hangup())?, end })
    }
}

/// SIGTERM and SIGINT. None is missed, whatever was done since the one before.
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Resolves with the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for `work`, which has no limit of its own, until a further signal says that the operator will not.
    pub async fn unless_signalled(&mut self, work: impl Future<Output = ()>) -> Ended {
        tokio::select! {
            () = work => Ended::Drained,
            () = self.next() => Ended::CutShort,
        }
    }
}

/// Runs the stages: readiness fails at once, then `delay`, then stop, then at most `grace`; a second signal ends it now.
/// `drained` resolves when every listener has finished.
pub async fn wind_down(
    shutdown: Shutdown,
    stages: &Stages,
    readiness: &Readiness,
    signals: &mut EndSignals,
    drained: impl Future<Output = ()>,
) -> Ended {
    readiness.set_draining();
    let mut drained = pin!(drained);
    let orderly = async {
        tokio::time::sleep(shutdown.delay).await;
        stages.stop.cancel();
        tokio::time::timeout(shutdown.grace, drained.as_mut()).await.is_ok()
    };
    let finished = tokio::select! {
        finished = orderly => finished,
        () = signals.next() => false,
    };
    stages.stop.cancel();
    stages.hard_stop.cancel();
    if !finished {
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
    }
    if finished { Ended::Drained } else { Ended::CutShort }
}

/// How a stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request in flight was answered.
    Drained,
    /// The grace ran out, or a second signal came.
    CutShort,
}
