//! What each customer may ask for: a rate with bursts, and requests at once.
//! Never holds more customers than it may: those who have not asked for long are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::sync::Cache;

use super::{Count, Place, Rejection, TRY_AGAIN};
use crate::names::{CustomerId, WorkspaceKey};
use crate::token::Claims;

/// The most customers that are remembered: a few megabytes.
const MAX_CUSTOMERS: u64 = 50_000;
/// After this time without a request a customer is forgotten, and is as good as new.
const MEMORY: Duration = Duration::from_secs(3600);

/// What one customer may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerCustomer {
    /// Requests a second on average, above zero; none: as many as it likes.
    pub rate: Option<u32>,
    /// Requests at once after a pause, above zero.
    pub burst: u32,
    /// Requests on their way at once; none: as many as it likes.
    pub concurrency: Option<usize>,
}

/// Who is counted together: a customer; tokens that name none, by workspace and whether they are admins'.
type Key = (WorkspaceKey, Option<CustomerId>, bool);

/// All customers of an upstream.
pub(super) struct Customers {
    limit: PerCustomer,
    known: Cache<Key, Arc<Customer>>,
    /// What times are counted from.
    start: Instant,
}

/// One customer's use.
#[derive(Default)]
struct Customer {
    count: Arc<Count>,
    /// When all that was asked for would be done at the allowed rate, in nanoseconds: the generic cell rate algorithm
    /// (ITU-T I.371), a leaky bucket in one number.
    done_at: AtomicU64,
}

impl Customers {
    pub(super) fn new(limit: PerCustomer) -> Self {
        let known = Cache::builder().max_capacity(MAX_CUSTOMERS).time_to_idle(MEMORY).build();
        Self { limit, known, start: Instant::now() }
    }

    /// A place for this caller's request, where places are counted.
    pub(super) fn enter(&self, caller: &Claims, now: Instant) -> Result<Option<Place>, Rejection> {
        let is_admin = caller.id.is_none() && caller.is_admin;
        let key = (caller.workspace.clone(), caller.id.clone(), is_admin);
        let customer = self.known.get_with(key, Arc::default);
        let place = match self.limit.concurrency {
            None => None,
            Some(most) => {
                let full = || Rejection::TooManyInFlight { retry_after: TRY_AGAIN };
                Some(customer.count.take(most).ok_or_else(full)?)
            }
        };
        if let Some(rate) = self.limit.rate {
            let now = nanos(now.saturating_duration_since(self.start));
            customer
                .pass(now, rate, self.limit.burst)
                .map_err(|retry_after| Rejection::RateLimited { retry_after })?;
        }
        Ok(place)
    }
}

impl Customer {
    /// Counts one request at `now`, or says how long to wait.
    fn pass(&self, now: u64, rate: u32, burst: u32) -> Result<(), Duration> {
        let each = 1_000_000_000 / u64::from(rate.max(1));
        let ahead = each.saturating_mul(u64::from(burst.saturating_sub(1)));
        let mut done_at = self.done_at.load(Ordering::Relaxed);
        loop {
            let begins = done_at.max(now);
            let wait = (begins - now).saturating_sub(ahead);
            if wait > 0 {
                return Err(Duration::from_nanos(wait));
            }
            let next = begins.saturating_add(each);
            match self.done_at.compare_exchange_weak(done_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => done_at = other,
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn caller(workspace: &str, claims: Value) -> Claims {
        let Value::Object(mut all) = claims else { panic!("claims are an object") };
        all.insert("iss".into(), json!(workspace));
        Claims::from_json(all).unwrap()
    }

    fn says(customers: &Customers, caller: &Claims, after: Duration) -> Result<(), (&'static str, u64)> {
        customers.enter(caller, customers.start + after).map(drop).map_err(|refused| {
            let wait = refused.retry_after().expect("it says when to come again");
            (refused.code(), u64::try_from(wait.as_millis()).unwrap())
        })
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let customers = Customers::new(PerCustomer { rate: Some(2), burst: 3, concurrency: None });
        let anna = caller("acme", json!({"id": "anna"}));
        let at = Duration::from_millis;
        for _ in 0..3 {
            assert_eq!(says(&customers, &anna, at(1000)), Ok(()));
        }
        assert_eq!(says(&customers, &anna, at(1000)), Err(("rate_limited", 500)));
        assert_eq!(says(&customers, &anna, at(1400)), Err(("rate_limited", 100)));
        assert_eq!(says(&customers, &anna, at(1500)), Ok(()));
        assert_eq!(says(&customers, &anna, at(1500)), Err(("rate_limited", 500)));
        // After a long pause there is one burst again, not more.
        for _ in 0..3 {
            assert_eq!(says(&customers, &anna, at(60_000)), Ok(()));
        }
        assert_eq!(says(&customers, &anna, at(60_000)), Err(("rate_limited", 500)));
    }

    #[test]
    fn each_customer_of_each_workspace_is_counted_alone() {
        let customers = Customers::new(PerCustomer { rate: Some(1), burst: 1, concurrency: None });
        let callers = [
            caller("acme", json!({"id": "anna"})),
            caller("acme", json!({"id": "bob"})),
            caller("globex", json!({"id": "anna"})),
            caller("acme", json!({})),
            caller("acme", json!({"isAdmin": true})),
        ];
        for caller in &callers {
            assert_eq!(says(&customers, caller, Duration::ZERO), Ok(()), "{caller:?}");
            assert_eq!(says(&customers, caller, Duration::ZERO), Err(("rate_limited", 1000)), "{caller:?}");
        }
        let same_admin = caller("acme", json!({"isAdmin": 1, "name": "another token"}));
        assert_eq!(says(&customers, &same_admin, Duration::ZERO), Err(("rate_limited", 1000)));
    }

    #[test]
    fn requests_at_once_are_counted_until_they_end() {
        let customers = Customers::new(PerCustomer { rate: None, burst: 1, concurrency: Some(2) });
        let anna = caller("acme", json!({"id": "anna"}));
        let first = customers.enter(&anna, customers.start).unwrap();
        let second = customers.enter(&anna, customers.start).unwrap();
        let refused = says(&customers, &anna, Duration::ZERO);
        assert_eq!(refused, Err(("too_many_requests_in_flight", 1000)));
        drop(first);
        assert_eq!(says(&customers, &anna, Duration::ZERO), Ok(()));
        drop(second);
    }

    #[test]
    fn the_memory_is_bounded() {
        let customers = Customers::new(PerCustomer { rate: Some(1), burst: 1, concurrency: None });
        for number in 0..MAX_CUSTOMERS + 1_000 {
            customers.enter(&caller("acme", json!({"id": number})), customers.start).unwrap();
        }
        customers.known.run_pending_tasks();
        assert!(customers.known.entry_count() <= MAX_CUSTOMERS);
    }
}
