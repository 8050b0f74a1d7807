//! How a third party wants to be spoken to: connector specs, and the integrations configured from them.
//! Never holds a customer's credentials, never does network I/O.

pub mod catalog;
pub mod integration;
pub mod methods;
pub mod spec;

pub use catalog::Catalog;
pub use integration::{App, Connections, Hosts, Integration};
pub use methods::{ApiClient, MethodError, MethodInput, OAuthConfig};
pub use spec::{AuthType, Connector};
