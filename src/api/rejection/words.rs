//! Lists within the sentences of refusals.
//! Never says a value: most of them are secrets.

use crate::connector::Flaw;
use crate::names::{ConnectionId, IntegrationKey};

pub(super) fn listed(ids: &[ConnectionId]) -> String {
    ids.iter().map(ConnectionId::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn flaws(flaws: &[Flaw]) -> String {
    let told = flaws.iter().map(|flaw| match flaw.path.as_str() {
        "" => flaw.message.clone(),
        path => format!("at {path} {}", flaw.message),
    });
    told.collect::<Vec<_>>().join("; ")
}

pub(super) fn hint(meant: Option<&IntegrationKey>) -> String {
    meant.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}
