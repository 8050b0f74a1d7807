//! Tunnels: what holds for one, and the record that stays open for as long as it lives.
//! Never decides whether a request may become one, and never sees a byte of it.

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::record::Record;
use super::rules::Permit;
use crate::http::forward::upgrade::{Terms, Through};
use crate::token::Verifier;

/// Where the record of a request goes that became a tunnel.
pub(super) struct Keep(oneshot::Sender<Record>);

impl Keep {
    /// The record ends when the tunnel does, and gives back its places then; at once, if there is no tunnel any more.
    pub(super) fn take(self, record: Record) {
        drop(self.0.send(record));
    }
}

/// The record in the tunnel's hands, once there is one.
struct Kept(oneshot::Receiver<Record>);

impl Kept {
    fn end(&mut self, through: Through) {
        if let Ok(record) = self.0.try_recv() {
            record.tunnel_ended(through);
        }
    }
}

/// A tunnel that is torn down with the process does not tell what it carried.
impl Drop for Kept {
    fn drop(&mut self) {
        self.end(Through { is_cut: true, ..Through::default() });
    }
}

/// What holds for a tunnel under this permit, and where its record is kept.
pub(super) fn terms(verifier: &Verifier, permit: &Permit<'_>) -> (Terms, Keep) {
    let config = &permit.upstream().config;
    let ends = permit.verified().filter(|_| config.closes_on_expiry);
    let left = ends.and_then(|verified| verifier.remaining(verified, &config.policy));
    // An end that no clock reaches is none.
    let until = left.and_then(|left| Instant::now().checked_add(left));
    let (keep, kept) = oneshot::channel();
    let mut kept = Kept(kept);
    let ended = move |through| kept.end(through);
    (Terms { until, idle: config.upgrade_idle_timeout, ended: Some(Box::new(ended)) }, Keep(keep))
}
