//! Where lines go: the access log's own bounded writer, and diagnostics on stderr.
//! Never blocks a request: a line that finds no room is dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::EnvFilter;

/// Lines that may wait for the writer; at the caps of a line, 50 MB at worst.
const MAX_WAITING: u64 = 8192;
/// How long the writer gathers lines before it writes them: one wake-up and one write for all of them.
const GATHER: Duration = Duration::from_millis(10);
/// How much text is enough before that. Larger buffers would push everything else out of the processor's cache.
const MUCH: usize = 64 * 1024;
/// What the writer's two buffers keep of their size once a burst is over.
const MAX_KEPT: usize = 1024 * 1024;
/// The longest a flush waits for a writer that is stuck.
const MAX_FLUSH: Duration = Duration::from_secs(1);

/// The access log: a bounded writer in its own thread that never blocks a request and counts what it drops. What was
/// accepted is flushed when the log is dropped.
pub struct AccessLog {
    sink: Sink,
    lost: Counter,
    sample: Sample,
}

enum Sink {
    Off,
    Writer(Arc<Queue>),
    Buffer(Arc<Mutex<Vec<u8>>>),
}

impl AccessLog {
    /// Lines go to standard output.
    ///
    /// # Errors
    ///
    /// The system gave no thread for the writer.
    pub fn stdout() -> io::Result<Self> {
        Self::to_writer(io::stdout(), MAX_WAITING)
    }

    /// No lines at all.
    #[must_use]
    pub fn off() -> Self {
        Self { sink: Sink::Off, lost: Counter::default(), sample: Sample::default() }
    }

    /// For tests: a line is in the buffer before its request is answered.
    #[must_use]
    pub fn to_buffer(buffer: Arc<Mutex<Vec<u8>>>) -> Self {
        Self { sink: Sink::Buffer(buffer), lost: Counter::default(), sample: Sample::default() }
    }

    /// Only so many of a hundred successful requests are written, evenly. Everything else is always written.
    #[must_use]
    pub fn sampling(mut self, percent: u8) -> Self {
        self.sample = Sample { percent: u64::from(percent.min(100)), sum: AtomicU64::new(0) };
        self
    }

    /// Whether the next success is one of those that are written.
    #[must_use]
    pub fn samples(&self) -> bool {
        self.sample.takes()
    }

    /// Whether lines need not be built.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.sink, Sink::Off)
    }

    /// The count of dropped lines.
    #[must_use]
    pub fn lost(&self) -> &Counter {
        &self.lost
    }

    /// Hands over one line with its line feed, or drops it if there is no room. Never waits for a write.
    pub fn write(&self, line: &str) {
        match &self.sink {
            Sink::Off => {}
            Sink::Writer(queue) => {
                if !queue.push(line) {
                    self.lost.inc();
                }
            }
            Sink::Buffer(buffer) => {
                buffer.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line.as_bytes());
            }
        }
    }

    /// Waits until what was handed over is written, one second at most. Blocks the thread: for the end of the process.
    pub fn flush(&self) {
        if let Sink::Writer(queue) = &self.sink {
            queue.wait_until_written();
        }
    }

    fn to_writer(out: impl Write + Send + 'static, max_waiting: u64) -> io::Result<Self> {
        let queue = Arc::new(Queue { max_waiting, ..Queue::default() });
        let lost = Counter::default();
        let writer = Writer { out, queue: Arc::clone(&queue), lost: lost.clone(), batch: Vec::new() };
        thread::Builder::new().name("access-log".into()).spawn(|| writer.run())?;
        Ok(Self { sink: Sink::Writer(queue), lost, sample: Sample::default() })
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if let Sink::Writer(queue) = &self.sink {
            queue.close();
            queue.wait_until_written();
        }
    }
}

/// Takes so many of a hundred, evenly and without randomness: each adds its part, and whichever brings the sum past the
/// next hundred is taken.
struct Sample {
    percent: u64,
    sum: AtomicU64,
}

impl Sample {
    fn takes(&self) -> bool {
        if self.percent == 100 {
            return true;
        }
        let before = self.sum.fetch_add(self.percent, Ordering::Relaxed);
        before.wrapping_add(self.percent) / 100 != before / 100
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self { percent: 100, sum: AtomicU64::new(0) }
    }
}

/// Lines on their way to the writer, one behind the other in one buffer. Its lock is held while a line is appended or
/// the buffer is exchanged for an empty one, never while anything is written.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    max_waiting: u64,
    /// The writer waits here when nothing has come for a while.
    arrived: Condvar,
    /// A flush waits here for the writer.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    /// Lines in the text.
    lines: u64,
    /// Whether the writer has taken lines that are not written yet.
    writing: bool,
    /// How much text is to be there for the writer to be woken; none while it is awake.
    wakes_at: Option<usize>,
    /// Whether a flush waits to be woken when all is written.
    flushing: bool,
    closed: bool,
}

impl Queue {
    /// Appends a line; false if there is no room for it.
    fn push(&self, line: &str) -> bool {
        let mut waiting = self.lock();
        if waiting.lines >= self.max_waiting {
            return false;
        }
        waiting.text.extend_from_slice(line.as_bytes());
        waiting.lines += 1;
        let wakes = waiting.wakes_at.is_some_and(|much| waiting.text.len() >= much);
        if wakes {
            waiting.wakes_at = None;
        }
        drop(waiting);
        if wakes {
            self.arrived.notify_one();
        }
        true
    }

    /// Gathers lines and exchanges them for the empty `batch`. Returns how many they are; none if the end has come and
    /// nothing is left.
    fn take(&self, batch: &mut Vec<u8>) -> Option<u64> {
        loop {
            let mut waiting = self.wait(MUCH, Some(GATHER));
            if waiting.lines > 0 {
                std::mem::swap(&mut waiting.text, batch);
                waiting.writing = true;
                return Some(std::mem::take(&mut waiting.lines));
            }
            drop(waiting);
            let waiting = self.wait(1, None);
            if waiting.lines == 0 && waiting.closed {
                return None;
            }
        }
    }

    /// Waits until so much text is there, no line is to come any more, or the time is over.
    fn wait(&self, much: usize, limit: Option<Duration>) -> MutexGuard<'_, Waiting> {
        let mut waiting = self.lock();
        waiting.wakes_at = Some(much);
        let is_little = |waiting: &mut Waiting| waiting.text.len() < much && !waiting.closed;
        let mut waiting = match limit {
            Some(limit) => {
                let ended = self.arrived.wait_timeout_while(waiting, limit, is_little);
                ended.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let ended = self.arrived.wait_while(waiting, is_little);
                ended.unwrap_or_else(PoisonError::into_inner)
            }
        };
        waiting.wakes_at = None;
        waiting
    }

    fn note_written(&self) {
        let mut waiting = self.lock();
        waiting.writing = false;
        if waiting.lines == 0 && std::mem::take(&mut waiting.flushing) {
            self.written.notify_all();
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn wait_until_written(&self) {
        let is_busy = |waiting: &mut Waiting| {
            waiting.flushing = waiting.lines > 0 || waiting.writing;
            waiting.flushing
        };
        // Either outcome ends the wait: all is written, or the writer is stuck.
        drop(self.written.wait_timeout_while(self.lock(), MAX_FLUSH, is_busy));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's side.
struct Writer<W> {
    out: W,
    queue: Arc<Queue>,
    lost: Counter,
    batch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        while let Some(lines) = self.queue.take(&mut self.batch) {
            if self.out.write_all(&self.batch).and_then(|()| self.out.flush()).is_err() {
                self.lost.inc_by(lines);
            }
            self.batch.clear();
            self.batch.shrink_to(MAX_KEPT);
            self.queue.note_written();
        }
    }
}

/// Diagnostics as JSON lines on stderr, from `level` on (`info`, `debug`, or a list as `warn,sidegate=debug`). A level
/// that cannot be read counts as `info`. Only the first call of a process has an effect.
pub fn init_diagnostics(level: &str) {
    let filter = EnvFilter::try_new(level);
    let complaint = filter.as_ref().err().map(ToString::to_string);
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(io::stderr)
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .try_init();
    if let (Ok(()), Some(complaint)) = (started, complaint) {
        tracing::warn!(level, complaint, "the log level cannot be read, info is used");
    }
}

#[cfg(test)]
mod tests;
