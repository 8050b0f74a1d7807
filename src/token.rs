//! Who is speaking: JSON Web Tokens, verified against the keys of their workspace.
//! Never knows of rules, upstreams or third parties.

pub mod cache;
pub mod caller;
pub mod claims;
pub mod explain;
pub mod jws;
pub mod keys;
pub mod mint;
pub mod verify;

pub use caller::Caller;
pub use claims::Claims;
pub use keys::{Config, KeyPolicy, WorkspaceConfig};
pub use verify::{Policy, TokenError, Verified, Verifier};
