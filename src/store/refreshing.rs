//! What a connection remembers of its refreshes, so that a restart asks nobody again who has just said no.
//! Never holds a secret, and never decides when to ask.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::names::Version;

/// What a connection remembers of its refreshes. Part of the open row: every exchange writes it once, together with
/// what the exchange brought.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Refreshing {
    /// How many exchanges were made for it, of whatever end; the one that brought its first token counts.
    #[serde(default)]
    pub exchanges: u64,
    /// The last failure, unless an exchange has succeeded since.
    #[serde(default)]
    pub failure: Option<RefreshFailure>,
}

/// Why credentials of one version could not be refreshed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct RefreshFailure {
    /// The credentials it is about: others were not refused.
    pub version: Version,
    /// What the failure means.
    pub class: FailureClass,
    /// A sentence for people.
    pub message: String,
    /// How many exchanges in a row failed, this one included.
    pub in_a_row: u32,
    /// When the first of them failed.
    pub since: Timestamp,
    /// When this one failed.
    pub at: Timestamp,
    /// Nobody asks again before; none: not with these credentials.
    pub next_try: Option<Timestamp>,
}

/// What a failed refresh means.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The grant is revoked, expired or spent.
    DeadGrant,
    /// The OAuth app is refused, or not configured as it must be.
    DeadApp,
    /// The provider asked to be left alone for a while.
    Throttled,
    /// No answer, or none that can be understood.
    Transient,
    /// A refusal that says nothing about the grant or the app.
    Unknown,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 5] =
        [Self::DeadGrant, Self::DeadApp, Self::Throttled, Self::Transient, Self::Unknown];

    /// The word for it in the API and the commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadGrant => "dead_grant",
            Self::DeadApp => "dead_app",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
        }
    }
}

impl Refreshing {
    /// Notes an exchange that succeeded.
    pub fn succeeded(&mut self) {
        self.exchanges = self.exchanges.saturating_add(1);
        self.failure = None;
    }

    /// Notes an exchange that failed.
    pub fn failed(&mut self, failure: RefreshFailure) {
        self.exchanges = self.exchanges.saturating_add(1);
        self.failure = Some(failure);
    }
}
