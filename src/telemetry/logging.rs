//! Where lines go: the access log's own bounded writer, and diagnostics on stderr.
//! Never blocks a request: a line that finds no room is dropped and counted.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::EnvFilter;

/// Lines that may wait for the writer; at the caps of a line, 50 MB at worst.
const MAX_WAITING: usize = 8192;
/// How long the writer gathers lines before it writes them: one wake-up and one write for all of them.
const GATHER: Duration = Duration::from_millis(10);
/// The longest a flush waits for a writer that is stuck.
const MAX_FLUSH: Duration = Duration::from_secs(1);

/// The access log: a bounded writer in its own thread that never blocks a request and counts what it drops. What was
/// accepted is flushed when the log is dropped.
pub struct AccessLog {
    sink: Sink,
    lost: Counter,
}

enum Sink {
    Off,
    Writer(SyncSender<Message>),
    Buffer(Arc<Mutex<Vec<u8>>>),
}

enum Message {
    Line(Box<str>),
    /// Everything before is to be written; then the other end is dropped.
    Flush(SyncSender<()>),
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
        Self { sink: Sink::Off, lost: Counter::default() }
    }

    /// For tests: a line is in the buffer before its request is answered.
    #[must_use]
    pub fn to_buffer(buffer: Arc<Mutex<Vec<u8>>>) -> Self {
        Self { sink: Sink::Buffer(buffer), lost: Counter::default() }
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

    /// Hands over one line with its line feed, or drops it if there is no room. Never waits.
    pub fn write(&self, line: &str) {
        match &self.sink {
            Sink::Off => {}
            Sink::Writer(queue) => {
                if queue.try_send(Message::Line(line.into())).is_err() {
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
        let Sink::Writer(queue) = &self.sink else { return };
        let deadline = Instant::now() + MAX_FLUSH;
        let (done, wait) = sync_channel(0);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(returned)) = queue.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = returned;
            thread::sleep(Duration::from_millis(1));
        }
        // Either outcome ends the wait: the writer let go of its end, or it is stuck.
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    fn to_writer(out: impl Write + Send + 'static, max_waiting: usize) -> io::Result<Self> {
        let (queue, lines) = sync_channel(max_waiting);
        let lost = Counter::default();
        let writer = Writer { out, lines, lost: lost.clone(), batch: Vec::new(), held: 0 };
        thread::Builder::new().name("access-log".into()).spawn(|| writer.run())?;
        Ok(Self { sink: Sink::Writer(queue), lost })
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The thread's side: gathers lines into a batch, writes it, starts again.
struct Writer<W> {
    out: W,
    lines: Receiver<Message>,
    lost: Counter,
    batch: Vec<u8>,
    /// Lines in the batch.
    held: u64,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        while let Ok(first) = self.lines.recv() {
            // Asleep, not waiting on the queue: senders then need not wake anyone.
            if matches!(first, Message::Line(_)) {
                thread::sleep(GATHER);
            }
            self.take(first);
            for _ in 0..MAX_WAITING {
                let Ok(next) = self.lines.try_recv() else { break };
                self.take(next);
            }
            self.write_out();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Line(line) => {
                self.batch.extend_from_slice(line.as_bytes());
                self.held += 1;
            }
            Message::Flush(done) => {
                self.write_out();
                drop(done);
            }
        }
    }

    fn write_out(&mut self) {
        if self.out.write_all(&self.batch).and_then(|()| self.out.flush()).is_err() {
            self.lost.inc_by(self.held);
        }
        self.batch.clear();
        self.held = 0;
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
