//! Tunnels: what holds for one, and the record that stays open for as long as it lives.
//! Never decides whether a request may become one, and never sees a byte of it.

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::record::Record;
use super::rules::Permit;
use crate::http::forward::upgrade::Terms;
use crate::token::Verifier;

/// Where the record of a request goes that became a tunnel.
pub(super) struct Keep(oneshot::Sender<Record>);

impl Keep {
    /// The record ends when the tunnel does, and gives back its places then; at once, if there is no tunnel any more.
    pub(super) fn take(self, record: Record) {
        drop(self.0.send(record));
    }
}

/// What holds for a tunnel under this permit, and where its record is kept.
pub(super) fn terms(verifier: &Verifier, permit: &Permit<'_>) -> (Terms, Keep) {
    let config = &permit.upstream().config;
    let ends = permit.verified().filter(|_| config.closes_on_expiry);
    let left = ends.and_then(|verified| verifier.remaining(verified, &config.policy));
    // An end that no clock reaches is none.
    let until = left.and_then(|left| Instant::now().checked_add(left));
    let (keep, mut kept) = oneshot::channel::<Record>();
    let ended = move |through| {
        if let Ok(record) = kept.try_recv() {
            record.tunnel_ended(through);
        }
    };
    (Terms { until, idle: config.upgrade_idle_timeout, ended: Some(Box::new(ended)) }, Keep(keep))
}
