//! Customers of a workspace: listed, made, removed.
//! Never opens what a connection holds.

use std::ops::ControlFlow;

use super::{Store, StoreError, blanked, open_customer, seal_customer, tables};
use crate::names::{CustomerId, Owner, WorkspaceKey};
use crate::seal::Keyring;
use crate::store::record::{Connection, Customer};
use crate::store::tables::Tables;

/// What a cursor begins with, so that none is taken for the start that callers write as `0`.
const CURSOR: &str = "after.";

impl Store {
    /// A page of a workspace's customers in the order of their ids, and the cursor of the next.
    ///
    /// # Errors
    /// The cursor is none of ours, the file cannot be read, or a row does not open.
    pub async fn customers(
        &self,
        workspace: WorkspaceKey,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<(Vec<Customer>, Option<String>), StoreError> {
        let after = match &cursor {
            None => None,
            Some(cursor) => Some(cursor.strip_prefix(CURSOR).ok_or(StoreError::BadCursor)?.to_owned()),
        };
        self.read_aside(move |store| {
            let (mut page, mut more) = (Vec::new(), false);
            store.file.read(|transaction| {
                tables::walk_customers(transaction, &workspace, after.as_deref(), |customer, row| {
                    if page.len() == limit {
                        more = true;
                        return Ok(ControlFlow::Break(()));
                    }
                    let customer = CustomerId::from(customer);
                    let owner = Owner { workspace: workspace.clone(), customer };
                    page.push(open_customer(&store.keyring.load(), &owner, &row)?);
                    Ok(ControlFlow::Continue(()))
                })
            })?;
            let last = page.last().filter(|_| more);
            let next = last.map(|last: &Customer| format!("{CURSOR}{}", last.owner.customer));
            Ok((page, next))
        })
        .await
    }

    /// Writes a customer that was not there, or tells that one was.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn insert_customer(&self, customer: Customer) -> Result<bool, StoreError> {
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            let is_new = tables.customer(&customer.owner)?.is_none();
            if is_new {
                tables.put_customer(&customer.owner, &seal_customer(ring, &customer)?)?;
            }
            Ok(is_new)
        };
        self.write(work).await
    }

    /// Removes a customer's record and archives its connections, whose secrets go with it, all or nothing. Tells whether
    /// there was a record.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn remove_customer(&self, owner: &Owner) -> Result<bool, StoreError> {
        let (now, owner) = (self.0.clock.now(), owner.clone());
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            for live in tables.live_of(&owner)? {
                let archived = Connection { archived_at: Some(now), updated_at: now, ..live };
                let (blank, nothing) = blanked(ring, archived)?;
                tables.put(&blank, Some(&nothing))?;
            }
            tables.remove_customer(&owner)
        };
        self.write(work).await
    }
}
