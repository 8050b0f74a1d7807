//! How a third party wants to be spoken to: connector specs, and the integrations configured from them.
//! Never holds a customer's credentials, never does network I/O.

pub mod api_client;
pub mod catalog;
pub mod hosts;
pub mod integration;
pub mod methods;
pub mod oauth_config;
pub mod spec;

pub use api_client::{ApiClient, ResponseHandlers, Staleness};
pub use catalog::Catalog;
pub use hosts::{HostPattern, Hosts, Site};
pub use integration::{App, Connections, Integration};
pub use methods::{MethodError, MethodInput};
pub use oauth_config::{ClientAuthentication, GrantType, OAuthConfig};
pub use spec::{AuthType, Connector};
