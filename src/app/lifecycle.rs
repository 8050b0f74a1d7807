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

/// SIGHUPs, from now on. Without anybody to take them they would end the process.
///
/// # Errors
/// The handler could not be installed.
pub fn hangup() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Resolves with the first SIGTERM or SIGINT.
///
/// # Errors
/// The handler could not be installed.
pub async fn first_signal() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = signals()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs the stages: readiness fails at once, then `delay`, then stop, then at most `grace`; a second signal ends it now.
/// `drained` resolves when every listener has finished.
///
/// # Errors
/// The handler of the second signal could not be installed.
pub async fn wind_down(
    shutdown: Shutdown,
    stages: &Stages,
    readiness: &Readiness,
    drained: impl Future<Output = ()>,
) -> std::io::Result<Ended> {
    let (mut terminate, mut interrupt) = signals()?;
    readiness.set_draining();
    let mut drained = pin!(drained);
    let orderly = async {
        tokio::time::sleep(shutdown.delay).await;
        stages.stop.cancel();
        tokio::time::timeout(shutdown.grace, drained.as_mut()).await.is_ok()
    };
    let finished = tokio::select! {
        finished = orderly => finished,
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
    };
    stages.stop.cancel();
    stages.hard_stop.cancel();
    if !finished {
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
    }
    Ok(if finished { Ended::Drained } else { Ended::CutShort })
}

/// Waits for `work`, which has no limit of its own, until a further signal says that the operator will not.
///
/// # Errors
/// The handler of that signal could not be installed.
pub async fn unless_signalled(work: impl Future<Output = ()>) -> std::io::Result<Ended> {
    let (mut terminate, mut interrupt) = signals()?;
    Ok(tokio::select! {
        () = work => Ended::Drained,
        _ = terminate.recv() => Ended::CutShort,
        _ = interrupt.recv() => Ended::CutShort,
    })
}

/// How a stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request in flight was answered.
    Drained,
    /// The grace ran out, or a second signal came.
    CutShort,
}

fn signals() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}
