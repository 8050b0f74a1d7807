//! The right to one exchange, shared by all who may refresh a connection: no lease, no exchange. With it goes the journal,
//! which says before a refresh token is sent that it may be spent from now on.
//! Never knows what an exchange brings.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::Timestamp;
use crate::connector::Rotation;
use crate::report::report;
use crate::store::{Connection, Lease, Leasing, Spend, Store, StoreError, TokenDigest};

use super::row::held_token;
use super::{Cause, Refresher};

/// How long a lease lasts unless it is renewed; one is renewed at every third of that.
const TERM: Duration = Duration::from_secs(120);
/// What is left of a lease when its exchange ends at the latest, to store what came.
const ROOM_TO_STORE: Duration = Duration::from_secs(20);
/// How often a lease of somebody else's is looked at.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A lease that is ours.
pub(super) struct Held {
    store: Store,
    pub(super) lease: Lease,
    /// An exchange under it ends by then; by the monotonic clock, so that turning the other one changes nothing.
    pub(super) deadline: Instant,
    /// Whether a refresh token is spent under it.
    pub(super) spends: bool,
}

/// What a lease is wanted for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// An exchange with a provider that treats refresh tokens so.
    Exchange(Rotation),
    /// Nothing is sent: what an earlier exchange brought is stored.
    Store,
}

/// What became of asking for one.
pub(super) enum Asked {
    /// It is ours.
    Held(Held),
    /// Look again, somewhat later.
    Busy,
    /// Look again at once.
    Overtaken,
    /// No: the token may be spent.
    Spent(Spend),
}

impl Refresher {
    /// Ends what a process that was killed left open: exchanges whose tokens it could not store, and those that it began and
    /// whose outcome is not known. To be called at the start, because a provider that takes a spent token again does so for a short while only.
    pub async fn recover(self: &Arc<Self>) {
        self.recover_spilled().await;
        let left = self.store.open_spends().await.unwrap_or_else(|error| {
            tracing::error!(error = %report(&error), "exchanges that were cut short cannot be found");
            Vec::new()
        });
        for id in left {
            if let Ok(Some(opened)) = self.store.open_secrets(&id).await
                && let Some(token) = held_token(&opened)
                && let Ok(Some(_)) = self.store.open_spend(&id, &token).await
            {
                drop(self.join(&opened, Cause::Expiry));
            }
        }
    }
}

/// Asks at `now` for the lease of a connection that was seen so, to spend `token`.
pub(super) async fn ask(
    store: &Store,
    seen: &Connection,
    token: Option<TokenDigest>,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Asked, StoreError> {
    let token = token.filter(|_| !matches!(purpose, Purpose::Exchange(Rotation::None)));
    let spends = token.is_some();
    // Before the store is asked: what that takes is a part of the lease.
    let deadline = Instant::now() + (TERM - ROOM_TO_STORE);
    let leasing = store.lease(seen, token, TERM, move |spend| may_repeat(purpose, spend, now)).await?;
    Ok(match leasing {
        Leasing::Taken(lease) => Asked::Held(Held { store: store.clone(), lease, deadline, spends }),
        Leasing::Held(_) => Asked::Busy,
        Leasing::Overtaken => Asked::Overtaken,
        Leasing::Spent(spend) => Asked::Spent(spend),
    })
}

/// Whether there is a lease for a token that may be spent. It is sent again once, and only while the provider takes it again. A clock that was
/// turned back says nothing about that.
fn may_repeat(purpose: Purpose, spend: &Spend, now: Timestamp) -> bool {
    match purpose {
        Purpose::Exchange(Rotation::Strict) => false,
        Purpose::Exchange(Rotation::Reuse(window)) => {
            spend.times == 1 && now >= spend.at && now.since(spend.at) < window
        }
        Purpose::Exchange(Rotation::None) | Purpose::Store => true,
    }
}

impl Held {
    /// Does `work`, and renews the lease meanwhile, as far as the store lets.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.renew() => match never {},
        }
    }

    /// A lease that is lost stays so. What comes of the exchange is still offered to the store, which will know.
    async fn renew(&self) -> Infallible {
        loop {
            sleep(TERM / 3).await;
            match self.store.renew_lease(&self.lease, TERM).await {
                Ok(true) => {}
                Ok(false) => return pending().await,
                Err(error) => tracing::warn!(error = %report(&error), "a lease could not be renewed"),
            }
        }
    }

    /// Gives it back. With `unknown`, the journal keeps that the token may be spent.
    pub(super) async fn give_back(&self, unknown: bool) -> Result<(), StoreError> {
        self.store.release_lease(self.lease.clone(), unknown).await
    }
}
