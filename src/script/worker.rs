//! The worker process: takes scripts from its standard input, runs one at a time, and says on its standard output what came
//! of it. Never opens anything: it has no environment, no other descriptor, and a limit for each resource.

mod codec;
mod engine;
mod realm;

use std::io::{self, StdinLock, StdoutLock};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::limits::Limits;
use super::message::{self, Answer, Job, Turn};

/// What the program itself needs of the address space, beside what its scripts may use.
const PROGRAM: u64 = 512 << 20;
/// How much longer than its limit a script's processor time may take, so that the engine can end it before the kernel
/// ends the process: the kernel counts in whole seconds.
const GRACE: Duration = Duration::from_secs(1);
/// The longest first message.
const FIRST: u64 = 64 << 10;

/// Runs scripts until the standard input ends.
///
/// # Errors
/// If the limits cannot be set, or the pipes break.
pub fn main() -> io::Result<()> {
    let mut pipes = Pipes { stdin: io::stdin().lock(), stdout: io::stdout().lock(), longest: FIRST };
    let Some(limits) = message::read::<Limits>(&mut pipes.stdin, FIRST)? else { return Ok(()) };
    pipes.longest = limits.message();
    confine(&limits)?;
    while let Some(job) = message::read::<Job>(&mut pipes.stdin, pipes.longest)? {
        allow_cpu_time(limits.cpu_time)?;
        let done = engine::run(&job, &limits, &mut pipes)?;
        message::write(&mut pipes.stdout, &Turn::Done(done))?;
    }
    Ok(())
}

/// What a worker may do from here on, whatever becomes of it.
fn confine(limits: &Limits) -> io::Result<()> {
    let exactly = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, exactly(PROGRAM + 2 * limits.memory + 4 * limits.message()))?;
    // Standard input, output and error are there already; nothing more can be opened.
    setrlimit(Resource::Nofile, exactly(3))?;
    // What it holds belongs into no file.
    setrlimit(Resource::Core, exactly(0))?;
    setrlimit(Resource::Fsize, exactly(0))?;
    Ok(())
}

/// The processor time this process has used.
fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Lets the kernel end this process after `more` processor time, for what the engine does not interrupt.
fn allow_cpu_time(more: Duration) -> io::Result<()> {
    let end = (cpu_time() + more + GRACE).as_secs() + 1;
    setrlimit(Resource::Cpu, Rlimit { current: Some(end), maximum: None })?;
    Ok(())
}

/// Where a job's questions go.
trait Port {
    /// Tells what is asked, and waits for one answer.
    fn ask(&mut self, turn: &Turn) -> io::Result<Answer>;
}

struct Pipes {
    stdin: StdinLock<'static>,
    stdout: StdoutLock<'static>,
    longest: u64,
}

impl Port for Pipes {
    fn ask(&mut self, turn: &Turn) -> io::Result<Answer> {
        message::write(&mut self.stdout, turn)?;
        message::read(&mut self.stdin, self.longest)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
