//! Leases and the journal of spends in the embedded store.
//! Never decides whether to exchange.

use std::time::Duration;

use super::{Replaced, Store, StoreError, tables};
use crate::names::ConnectionId;
use crate::secret::Secret;
use crate::store::lease::{Lease, Leasing, Spend, Title, TokenDigest};
use crate::store::tables::Tables;
use crate::store::{Connection, Health, Secrets};

impl Store {
    /// Takes the lease of a connection for `term`, and journals that `token` is about to be spent, in one write. A token
    /// that may be spent already is leased again only if `may_repeat` says so.
    ///
    /// # Errors
    /// It could not be stored: there is no lease.
    pub async fn lease(
        &self,
        seen: &Connection,
        token: Option<TokenDigest>,
        term: Duration,
        may_repeat: impl FnOnce(&Spend) -> bool + Send + 'static,
    ) -> Result<Leasing, StoreError> {
        let (id, version) = (seen.id.clone(), seen.version);
        let (owner, now) = (self.0.owner.clone(), self.0.clock.now());
        let as_seen = move |stored: &Connection| {
            stored.version == version && stored.archived_at.is_none() && stored.health == Health::Ready
        };
        let work = move |tables: &mut Tables<'_>| {
            if !tables.connection(&id)?.as_ref().is_some_and(as_seen) {
                return Ok(Leasing::Overtaken);
            }
            let mut row = tables.lease(&id)?;
            if let Some(refusal) = row.refusal(token.as_ref(), may_repeat, now) {
                return Ok(refusal);
            }
            let title = Title { owner, fence: tables.next_fence()? };
            let lease = row.lease(id.clone(), token, title, (now, term));
            tables.put_lease(&id, &row)?;
            Ok(Leasing::Taken(lease))
        };
        self.0.writer.write(work).await
    }

    /// Puts the end of a lease off: it ends after `term` from now. False: another one has taken it.
    ///
    /// # Errors
    /// It could not be stored; the lease ends when it would have.
    pub async fn renew_lease(&self, lease: &Lease, term: Duration) -> Result<bool, StoreError> {
        let (lease, until) = (lease.clone(), self.0.clock.now().plus(term));
        let work = move |tables: &mut Tables<'_>| {
            let mut row = tables.lease(&lease.connection)?;
            if !row.is_under(&lease) {
                return Ok(false);
            }
            row.renew(until);
            tables.put_lease(&lease.connection, &row).map(|()| true)
        };
        self.0.writer.write(work).await
    }

    /// Gives a lease back, unless another one has taken it. With `unknown`, the spend stays in the journal; else the
    /// journal says again what it said before.
    ///
    /// # Errors
    /// It could not be stored: the lease ends when its time is over, and the spend stays in the journal.
    pub async fn release_lease(&self, lease: Lease, unknown: bool) -> Result<(), StoreError> {
        let work = move |tables: &mut Tables<'_>| {
            let mut row = tables.lease(&lease.connection)?;
            if !row.is_under(&lease) {
                return Ok(());
            }
            row.release();
            if !unknown {
                row.take_back(&lease);
            }
            tables.put_lease(&lease.connection, &row)
        };
        self.0.writer.write(work).await
    }

    /// [`Store::replace`] with what the lease's exchange brought. In the same write the lease ends, and the spend is struck
    /// out of the journal; where other credentials came first, both stay.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]: another one has taken the lease. And all those of [`Store::replace`].
    pub async fn replace_under(
        &self,
        lease: &Lease,
        seen: &Connection,
        secrets: Secret<Secrets>,
        change: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<Replaced, StoreError> {
        self.replace_if(seen, secrets, change, Some(lease.clone())).await
    }

    /// The connections with an open spend in the journal.
    ///
    /// # Errors
    /// The file or a row cannot be read.
    pub async fn open_spends(&self) -> Result<Vec<ConnectionId>, StoreError> {
        self.read_aside(|store| store.file.read(tables::open_spends)).await
    }

    /// The open spend of just this token.
    ///
    /// # Errors
    /// The file or the row cannot be read.
    pub async fn open_spend(
        &self,
        id: &ConnectionId,
        token: &TokenDigest,
    ) -> Result<Option<Spend>, StoreError> {
        let row = self.0.file.read(|transaction| tables::lease(transaction, id))?;
        Ok(row.spend_of(Some(token)).cloned())
    }
}

#[cfg(test)]
mod tests;
