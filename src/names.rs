//! The words of the domain as types, so that a customer is never passed where a connection is meant.
//! Knows nothing of what the named things are.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<SmolStr>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

names! {
    /// An issuer of tokens: the `iss` or `workspaceKey` claim, and a key of `workspaces` in the configuration.
    WorkspaceKey;
    /// Who a token speaks for: its `id`, `tenantKey` or `sub`.
    CustomerId;
    /// An API behind the inbound listener: the stem of its file under `upstreams/`.
    UpstreamName;
    /// A connector: the name of its folder under `connectors/`.
    ConnectorKey;
    /// A configured third party: the stem of its file under `integrations/`.
    IntegrationKey;
    /// One customer's account at a third party.
    ConnectionId;
    /// An OAuth app of an integration: the `id` under its `apps`.
    AppId;
    /// The `kid` of a key (RFC 7515 section 4.1.4); opaque.
    KeyId;
}

/// The version of a connection's stored credentials: 1 when first stored, one more with each write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The first version.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose a customer record or a connection is: no look-up crosses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The workspace.
    pub workspace: WorkspaceKey,
    /// The customer in that workspace.
    pub customer: CustomerId,
}
