//! The one thread that writes: what waits while it writes goes into its next transaction, so that writers share the
//! disk's slowest operation.
//! Never knows what is written.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::error::StoreError;
use super::file::StoreFile;
use super::tables::Tables;

/// The most writes that share a transaction.
const LARGEST_BATCH: usize = 256;

/// One write. It gets the tables, or why there are none, and leaves what to do once its transaction has ended.
type Job = Box<dyn FnOnce(Result<&mut Tables<'_>, StoreError>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

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
    /// `work` must find every reason to fail before it writes: an error of its own does not undo what it wrote.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let result = tables.and_then(work);
            Box::new(move |written| {
                // Nobody waits any more: the write stands all the same.
                let _ = answer.send(written.and(result));
            })
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(file: &StoreFile, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(LARGEST_BATCH - 1));
        run(file, batch);
    }
}

/// Runs a batch in one transaction; it is answered when the transaction has ended, and all alike.
fn run(file: &StoreFile, batch: Vec<Job>) {
    let mut batch = batch.into_iter();
    let mut answers = Vec::new();
    let written = file.write(|transaction| {
        let mut tables = Tables::open(transaction)?;
        for job in batch.by_ref() {
            answers.push(job(Ok(&mut tables)));
        }
        Ok(())
    });
    // Left over only where there was no transaction to run them in.
    for job in batch {
        let error = written.clone().err().unwrap_or(StoreError::Closed);
        answers.push(job(Err(error)));
    }
    for answer in answers {
        answer(written.clone());
    }
}
