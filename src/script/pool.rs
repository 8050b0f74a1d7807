//! The workers: few, started when they are needed, each with one job at a time, replaced when they break or take too long.
//! Never runs a script itself.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Config;
use super::conversation::{self, Pipes};
use super::error::ErrorKind;
use super::host::HostCalls;
use super::limits::{Limit, Limits};
use super::mask::Mask;
use super::message::{Done, Job};

/// The subcommand that makes a process a worker.
pub const SUBCOMMAND: &str = "script-worker";
/// How many jobs a worker does before a fresh one takes its place, so that nothing adds up.
const JOBS: u32 = 1000;
/// How long a worker whose pipe broke may take to be gone.
const PARTING: Duration = Duration::from_secs(1);
/// The signal by which the kernel ends a process that has used up its processor time; the same on every Linux we build for.
const SIGXCPU: i32 = 24;

/// The workers of this process.
pub(super) struct Pool {
    program: PathBuf,
    limits: Limits,
    places: Semaphore,
    idle: Mutex<Vec<Worker>>,
    /// Where the pipes are served, whoever asks.
    runtime: Handle,
    started: Counter,
}

/// Killed when it is dropped.
struct Worker {
    child: Child,
    pipes: Pipes,
    jobs: u32,
}

impl Pool {
    pub(super) fn new(config: Config, runtime: Handle, started: Counter) -> Self {
        let Config { program, workers, limits } = config;
        Self { program, limits, places: Semaphore::new(workers), idle: Mutex::default(), runtime, started }
    }

    /// Has `job` done by a free worker, within the time for it.
    pub(super) async fn work(
        &self,
        job: &Job,
        host: &dyn HostCalls,
        mask: &mut Mask,
    ) -> Result<Done, ErrorKind> {
        let patience = self.limits.wall_clock;
        let busy = || ErrorKind::Busy(humantime::format_duration(patience).to_string());
        let Ok(Ok(_place)) = timeout(patience, self.places.acquire()).await else { return Err(busy()) };
        let mut worker = self.worker().await.map_err(ErrorKind::NoWorker)?;
        let conversation = conversation::hold(&mut worker.pipes, job, host, &self.limits, mask);
        match timeout(patience, conversation).await {
            Err(_) => Err(ErrorKind::Limit(Limit::WallClock.of(&self.limits))),
            Ok(Err(broken)) => Err(worker.end(&broken, &self.limits).await),
            Ok(Ok(done)) => {
                self.keep(worker);
                Ok(done)
            }
        }
    }

    async fn worker(&self) -> io::Result<Worker> {
        while let Some(mut worker) = self.idle().pop() {
            if matches!(worker.child.try_wait(), Ok(None)) {
                return Ok(worker);
            }
        }
        let mut worker = self.start()?;
        worker.pipes.write(&self.limits).await?;
        Ok(worker)
    }

    /// No environment, and no descriptors but the two pipes: what we open is closed when another program begins.
    fn start(&self) -> io::Result<Worker> {
        let _served = self.runtime.enter();
        let mut child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a process without its pipes"));
        };
        self.started.inc();
        Ok(Worker { child, pipes: Pipes { stdin, stdout, longest: self.limits.message() }, jobs: 0 })
    }

    fn keep(&self, mut worker: Worker) {
        worker.jobs += 1;
        if worker.jobs < JOBS {
            self.idle().push(worker);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// What became of a worker whose pipe broke.
    async fn end(mut self, broken: &io::Error, limits: &Limits) -> ErrorKind {
        match timeout(PARTING, self.child.wait()).await {
            Ok(Ok(status)) if status.signal() == Some(SIGXCPU) => ErrorKind::Limit(Limit::CpuTime.of(limits)),
            Ok(Ok(status)) => ErrorKind::Crashed(described(status)),
            // It lives, and talks nonsense.
            _ => ErrorKind::Crashed(broken.to_string()),
        }
    }
}

fn described(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("ended by signal {signal}"),
        None => format!("ended with {status}"),
    }
}
