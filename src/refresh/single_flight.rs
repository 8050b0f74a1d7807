//! One exchange per connection in the process: callers share it and cannot cancel it.
//! Knows nothing of tokens or stores, only of who waits for whom.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::names::ConnectionId;
use crate::store::Opened;

use super::outcome::RefreshError;

/// How a flight ends, for each who waits.
pub(super) type Outcome = Result<Opened, RefreshError>;

type Listed = HashMap<ConnectionId, watch::Receiver<Option<Outcome>>>;
type Flights = Mutex<Listed>;

/// The flights under way.
pub(super) struct SingleFlight {
    flights: Arc<Flights>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl SingleFlight {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { flights: Arc::default(), tasks: TaskTracker::new(), runtime }
    }

    /// Joins the connection's flight, or starts one in a task of its own on the given runtime. Who drops the returned
    /// [`Seat`] stops waiting and changes nothing. Once draining has begun, no flight starts.
    pub(super) fn join<F>(&self, id: &ConnectionId, fly: impl FnOnce(Landing) -> F) -> Seat
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver, counted) = {
            let mut flights = lock(&self.flights);
            if let Some(flight) = flights.get(id) {
                return Seat(flight.clone());
            }
            if self.tasks.is_closed() {
                return Seat(watch::channel(Some(Err(RefreshError::Stopping))).1);
            }
            let (sender, receiver) = watch::channel(None);
            flights.insert(id.clone(), receiver.clone());
            // Counted before the lock is given back: draining must not miss it.
            (sender, receiver, self.tasks.token())
        };
        // Without the lock: a runtime that has shut down drops the task, and with it the landing, here and now.
        let registered = Registered { id: id.clone(), flights: Arc::clone(&self.flights) };
        let flight = fly(Landing { registered, sender });
        self.runtime.spawn(async move {
            let _counted = counted;
            flight.await;
        });
        Seat(receiver)
    }

    /// What the connection's flight has announced while it is still under way.
    pub(super) fn announced(&self, id: &ConnectionId) -> Option<Outcome> {
        lock(&self.flights).get(id)?.borrow().clone()
    }

    /// Whether draining has begun.
    pub(super) fn is_draining(&self) -> bool {
        self.tasks.is_closed()
    }

    /// Starts no flight any more, and waits until none is under way.
    pub(super) async fn drain(&self) {
        {
            let _flights = lock(&self.flights);
            self.tasks.close();
        }
        self.tasks.wait().await;
    }

    /// Waits until no flight is under way, and goes on.
    #[cfg(test)]
    pub(super) async fn settle(&self) {
        self.drain().await;
        self.tasks.reopen();
    }
}

/// A place in a flight.
pub(super) struct Seat(watch::Receiver<Option<Outcome>>);

impl Seat {
    /// The flight's outcome. A flight that broke has none.
    pub(super) async fn outcome(mut self) -> Outcome {
        let landed = self.0.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        landed.unwrap_or_else(|| {
            Err(RefreshError::OutcomeUnknown { reason: "the exchange broke off inside Sidegate".into() })
        })
    }
}

/// The flight's own end: it tells those who wait. Dropped without a word, the flight is over and broken.
pub(super) struct Landing {
    registered: Registered,
    sender: watch::Sender<Option<Outcome>>,
}

impl Landing {
    /// Tells all who wait, and goes on flying: later callers learn the same.
    pub(super) fn announce(&self, outcome: Outcome) {
        self.sender.send_replace(Some(outcome));
    }

    /// Ends the flight. It is struck off first, so that nobody joins a flight that is over.
    pub(super) fn land(self, outcome: Outcome) {
        drop(self.registered);
        self.sender.send_replace(Some(outcome));
    }
}

/// A flight's entry in the list, struck off when dropped.
struct Registered {
    id: ConnectionId,
    flights: Arc<Flights>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.flights).remove(&self.id);
    }
}

/// Nothing can panic while the lock is held, and a map of receivers cannot be left half-changed.
fn lock(flights: &Flights) -> MutexGuard<'_, Listed> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
