//! The stack of unused connections, and how many requests may be sent a second time.
//! Never dials and never sends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::http1::Connection;

/// How much of the allowance a second sending takes, of which each request earns one: a tenth of all may be sent twice.
const PRICE: u32 = 10;
/// How much of it can be saved: ten sendings.
const MOST_SAVED: u32 = 10 * PRICE;

/// Unused connections, the oldest in front.
pub(super) struct Idle {
    max: usize,
    timeout: Duration,
    kept: Mutex<Kept>,
}

struct Kept {
    stack: VecDeque<Unused>,
    /// Whether the task that closes what nobody used runs.
    sweeping: bool,
    /// What second sendings are paid from.
    allowance: u32,
}

struct Unused {
    connection: Box<Connection>,
    since: Instant,
}

impl Idle {
    pub(super) fn new(max: usize, timeout: Duration) -> Self {
        let kept = Kept { stack: VecDeque::new(), sweeping: false, allowance: MOST_SAVED };
        Self { max, timeout, kept: Mutex::new(kept) }
    }

    /// The connection used last. Passed over are those that closed, and those on which something came that nobody asked
    /// for: it would be taken for the response.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        let mut kept = self.lock();
        kept.allowance = (kept.allowance + 1).min(MOST_SAVED);
        while let Some(mut last) = kept.stack.pop_back() {
            if last.connection.is_quiet() {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over; one that brought more than its response is closed.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<Connection>) {
        if self.max == 0 || !connection.is_quiet() {
            return;
        }
        let mut kept = self.lock();
        if kept.stack.len() >= self.max {
            kept.stack.pop_front();
        }
        kept.stack.push_back(Unused { connection, since: Instant::now() });
        if !kept.sweeping {
            kept.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.timeout));
        }
    }

    /// Whether a request may be sent a second time; pays for it. A server that closes one connection after another must
    /// not be met with twice the requests.
    pub(super) fn may_send_again(&self) -> bool {
        let mut kept = self.lock();
        match kept.allowance.checked_sub(PRICE) {
            Some(left) => {
                kept.allowance = left;
                true
            }
            None => false,
        }
    }

    /// Closes what has been unused for too long; the time to look again, or none if nothing is kept.
    fn close_old(&self) -> Option<Instant> {
        let mut kept = self.lock();
        let now = Instant::now();
        while kept.stack.front().is_some_and(|oldest| oldest.since + self.timeout <= now) {
            kept.stack.pop_front();
        }
        let next = kept.stack.front().map(|oldest| oldest.since + self.timeout);
        kept.sweeping = next.is_some();
        next
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().stack.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock, and a stack of connections is whole at any time.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task per pool, and only while something is kept, so that a request sets no timer of its own.
async fn sweep(idle: Weak<Idle>, timeout: Duration) {
    let mut next = Some(Instant::now() + timeout);
    while let Some(at) = next {
        sleep_until(at).await;
        next = idle.upgrade().and_then(|idle| idle.close_old());
    }
}
