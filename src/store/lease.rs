//! The right to one exchange for a connection, and the journal of the token that it spends: one row for both.
//! Never holds a token, only its digest; never knows what an exchange is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::names::ConnectionId;

/// The right to one exchange for a connection. What it brings is stored under it, and only while nobody else has taken it
/// since.
#[derive(Clone, Debug)]
pub struct Lease {
    pub(super) connection: ConnectionId,
    pub(super) title: Title,
    /// What the journal said before.
    before: Option<Spend>,
}

/// How asking for a lease ends.
#[derive(Debug)]
pub enum Leasing {
    /// It is given, and the spend is in the journal: the request may leave.
    Taken(Lease),
    /// Another one has it; it ends then unless it is renewed.
    Held(Timestamp),
    /// The connection is not as it was seen: read it again.
    Overtaken,
    /// The token may be spent already, and must not be sent again.
    Spent(Spend),
}

/// An entry of the journal: a token was about to be sent, and what became of it is not known, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    token: TokenDigest,
    /// When it was about to be sent for the first time.
    pub at: Timestamp,
    /// How often it was.
    pub times: u32,
    /// The fence of the last lease under which it was.
    pub fence: u64,
}

/// What the journal knows a token by: SHA-256 over the connection's id and the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDigest(String);

impl TokenDigest {
    /// Of a refresh token; not of anything that could be guessed, for a guess can be compared with its digest.
    #[must_use]
    pub fn of(connection: &ConnectionId, token: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(connection.as_str().as_bytes());
        context.update(&[0]);
        context.update(token.as_bytes());
        Self(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

/// Who holds a lease. The fence grows with every lease of the store; the owner is random, because a file that is put
/// back from a backup counts its fences a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Title {
    pub(super) owner: Arc<str>,
    pub(super) fence: u64,
}

/// The row of a connection. It is there only while a lease is held or a spend is open.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    holder: Option<Holder>,
    spend: Option<Spend>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    title: Title,
    until: Timestamp,
}

impl Row {
    /// Whether a new lease may be had at `now` to spend this token, if it spends one. None: it may.
    pub(super) fn refusal(
        &self,
        token: Option<&TokenDigest>,
        may_repeat: impl FnOnce(&Spend) -> bool,
        now: Timestamp,
    ) -> Option<Leasing> {
        if let Some(holder) = self.holder.as_ref().filter(|holder| holder.until > now) {
            return Some(Leasing::Held(holder.until));
        }
        let spend = self.spend_of(token).filter(|spend| !may_repeat(spend));
        spend.map(|spend| Leasing::Spent(spend.clone()))
    }

    /// Gives the lease, and notes the spend of the token.
    pub(super) fn lease(
        &mut self,
        connection: ConnectionId,
        token: Option<TokenDigest>,
        title: Title,
        (now, term): (Timestamp, Duration),
    ) -> Lease {
        let before = self.spend_of(token.as_ref()).cloned();
        let (at, times) = before.as_ref().map_or((now, 0), |spend| (spend.at, spend.times));
        let (times, fence) = (times.saturating_add(1), title.fence);
        self.spend = token.map(|token| Spend { token, at, times, fence });
        self.holder = Some(Holder { title: title.clone(), until: now.plus(term) });
        Lease { connection, title, before }
    }

    /// Whether nobody has taken the lease since; it may have ended.
    pub(super) fn is_under(&self, lease: &Lease) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.title == lease.title)
    }

    /// Puts the lease's end off.
    pub(super) fn renew(&mut self, until: Timestamp) {
        if let Some(holder) = &mut self.holder {
            holder.until = until;
        }
    }

    /// Gives the lease back, the spend's outcome unknown.
    pub(super) fn release(&mut self) {
        self.holder = None;
    }

    /// Strikes out what the lease wrote into the journal.
    pub(super) fn take_back(&mut self, lease: &Lease) {
        self.spend.clone_from(&lease.before);
    }

    /// The open spend of this token.
    pub(super) fn spend_of(&self, token: Option<&TokenDigest>) -> Option<&Spend> {
        self.spend.as_ref().filter(|spend| Some(&spend.token) == token)
    }

    /// Whether there is nothing to be kept.
    pub(super) fn is_blank(&self) -> bool {
        self.holder.is_none() && self.spend.is_none()
    }

    /// Whether a spend is open.
    pub(super) fn has_spend(&self) -> bool {
        self.spend.is_some()
    }
}

#[cfg(test)]
mod tests;
