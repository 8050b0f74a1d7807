//! The one thread that writes: what waits while it writes goes into its next transaction, so that writers share the
//! disk's slowest operation.
//! Never knows what is written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::StoreError;
use super::file::StoreFile;
use super::tables::Tables;

/// The most writes that share a transaction.
const LARGEST_BATCH: usize = 256;

/// How often it is tried to open a file again that an error of the disk has closed.
const MEND_EVERY: Duration = Duration::from_secs(1);

/// One write. It gets the tables, or why there are none.
type Job = Box<dyn FnOnce(Result<&mut Tables<'_>, StoreError>) -> Run + Send>;

/// A write that was run, its transaction still open.
struct Run {
    /// It ended in the middle: the transaction must not be completed.
    failure: Option<StoreError>,
    /// Tells the caller, once it is known what became of the transaction.
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// Hands writes to the thread. Dropped, it waits until the last of them is on the disk.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(file: Arc<StoreFile>) -> Result<Self, StoreError> {
        let path = file.path().to_owned();
        let (jobs, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || serve(&file, &queue));
        let thread = thread.map_err(|source| StoreError::Open { path, source: Arc::new(source) })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` and waits until it is on the disk. It runs even if the caller stops waiting.
    ///
    /// `work` must find its own reasons to fail before it writes: only an error of the file or a panic undoes what was
    /// written.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            // A bug in one write must not end the thread, and with it all writing.
            let result = tables.and_then(|tables| {
                catch_unwind(AssertUnwindSafe(|| work(tables))).unwrap_or(Err(StoreError::Panicked))
            });
            let failure = result.as_ref().err().filter(|error| error.leaves_a_part()).cloned();
            let answer = Box::new(move |written: Result<(), StoreError>| {
                // Where nobody waits any more, the write stands all the same.
                let _ = answer.send(written.and(result));
            });
            Run { failure, answer }
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // A write whose caller is gone may hold the last of the store: its thread cannot wait for itself.
        if let Some(thread) = self.thread.take_if(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

fn serve(file: &StoreFile, queue: &Receiver<Job>) {
    while let Some(first) = next(file, queue) {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(LARGEST_BATCH - 1));
        run(file, batch);
    }
}

/// The next write. While the file is closed after an error of the disk, it is tried meanwhile whether it can be opened
/// again: whoever only reads would wait for a write that never comes.
fn next(file: &StoreFile, queue: &Receiver<Job>) -> Option<Job> {
    while file.is_closed() {
        match queue.recv_timeout(MEND_EVERY) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => drop(file.mend()),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}

/// Runs a batch in one transaction, which is completed for all or for none.
fn run(file: &StoreFile, batch: Vec<Job>) {
    let mut batch = batch.into_iter();
    let mut answers = Vec::new();
    let written = file.write(|transaction| {
        let mut tables = Tables::open(transaction)?;
        for job in batch.by_ref() {
            let Run { failure, answer } = job(Ok(&mut tables));
            answers.push(answer);
            if let Some(error) = failure {
                return Err(error);
            }
        }
        Ok(())
    });
    if let Err(error) = &written {
        answers.extend(batch.map(|job| job(Err(error.clone())).answer));
    }
    for answer in answers {
        answer(written.clone());
    }
}

#[cfg(test)]
mod tests;
