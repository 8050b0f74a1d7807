//! Who is speaking: JSON Web Tokens, verified against the keys of their workspace.
//! Never knows of rules, upstreams or third parties.

pub mod cache;
pub mod caller;
pub mod claims;
pub mod error;
pub mod explain;
mod issuer;
pub mod jws;
pub mod keys;
pub mod mint;
pub mod minted;
pub mod policy;
mod recent;
pub mod revocations;
pub mod source;
pub mod status;
pub mod throttle;
pub mod verify;
mod wanted;

#[cfg(test)]
mod testing;

pub use caller::Caller;
pub use claims::Claims;
pub use error::TokenError;
pub use keys::{Config, KeyPolicy, WorkspaceConfig};
pub use policy::Policy;
pub use status::KeyStatus;
pub use throttle::Budget;
pub use verify::{Verified, Verifier};
