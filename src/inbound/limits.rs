//! How much may be on its way at once, and how long a body may be.
//! Never waits: there is a place or there is none. Never reads a body but to count it.

mod body;
mod customers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(super) use body::{TooLong, bounded};
use customers::Customers;
pub use customers::PerCustomer;

use super::rejection::Rejection;
use crate::token::Claims;

/// What is asked of a caller who found no place to wait.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How many requests of all upstreams may be on their way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// So many.
    pub max_requests: usize,
    /// When a caller who is turned away may come again.
    pub retry_after: Duration,
}

impl Default for Overload {
    fn default() -> Self {
        Self { max_requests: 10_000, retry_after: TRY_AGAIN }
    }
}

/// What an upstream takes, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Requests on their way to it at once; none: as many as come.
    pub max_requests: Option<usize>,
    /// Bytes of a request's body; none: as many as come.
    pub max_body_bytes: Option<u64>,
    /// What each customer may ask for; none: as much as it likes.
    pub per_customer: Option<PerCustomer>,
}

/// A count of what is taken at the moment.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicUsize);

/// One taken place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Count>);

impl Count {
    /// A place, if fewer than `most` are taken.
    fn take(self: &Arc<Self>, most: usize) -> Option<Place> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        // Where it was one too many, dropping the place gives it back.
        let place = Place(Arc::clone(self));
        (taken < most).then_some(place)
    }

    fn is_full(&self, most: usize) -> bool {
        self.0.load(Ordering::Relaxed) >= most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The process's own limit. Its count goes over from one configuration to the next.
#[derive(Debug, Default)]
pub(super) struct Shedding {
    overload: Overload,
    count: Arc<Count>,
}

impl Shedding {
    pub(super) fn new(overload: Overload, before: Option<&Self>) -> Self {
        Self { overload, count: before.map(|before| Arc::clone(&before.count)).unwrap_or_default() }
    }

    /// Turns a request away before anything is spent on it.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        if self.count.is_full(self.overload.max_requests) { Err(self.overloaded()) } else { Ok(()) }
    }

    fn take(&self) -> Result<Place, Rejection> {
        self.count.take(self.overload.max_requests).ok_or_else(|| self.overloaded())
    }

    fn overloaded(&self) -> Rejection {
        Rejection::Overloaded { retry_after: self.overload.retry_after }
    }
}

/// An upstream's limits in use. Its counts go over from one configuration to the next.
pub(super) struct Limits {
    config: LimitsConfig,
    count: Arc<Count>,
    customers: Option<Arc<Customers>>,
}

/// The places that a request holds until its answer has ended.
#[derive(Debug)]
pub(super) struct Places {
    _all: Place,
    _upstream: Option<Place>,
    _customer: Option<Place>,
}

impl Limits {
    pub(super) fn new(config: LimitsConfig) -> Self {
        let customers = config.per_customer.map(|limit| Arc::new(Customers::new(limit)));
        Self { config, count: Arc::default(), customers }
    }

    /// Goes on with the counts of the configuration before.
    pub(super) fn inherit(&mut self, before: &Self) {
        self.count = Arc::clone(&before.count);
        if self.config.per_customer == before.config.per_customer {
            self.customers.clone_from(&before.customers);
        }
    }

    /// The most bytes that a request's body may have.
    pub(super) fn max_body_bytes(&self) -> Option<u64> {
        self.config.max_body_bytes
    }

    /// Takes a place in each count, or says which is full.
    pub(super) fn enter(
        &self,
        shedding: &Shedding,
        caller: Option<&Claims>,
        now: Instant,
    ) -> Result<Places, Rejection> {
        let customer = match (&self.customers, caller) {
            (Some(customers), Some(caller)) => customers.enter(caller, now)?,
            _ => None,
        };
        let upstream = match self.config.max_requests {
            None => None,
            Some(most) => {
                let full = || Rejection::Overloaded { retry_after: TRY_AGAIN };
                Some(self.count.take(most).ok_or_else(full)?)
            }
        };
        Ok(Places { _all: shedding.take()?, _upstream: upstream, _customer: customer })
    }
}

#[cfg(test)]
mod tests;
