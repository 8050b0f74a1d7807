//! How a third party wants to be spoken to: connector specs, and the integrations configured from them.
//! Never holds a customer's credentials, never does network I/O.

mod api_client;
pub mod catalog;
mod fields;
mod hosts;
pub mod integration;
pub mod methods;
mod oauth_config;
pub mod place;
mod schema;
pub mod spec;

pub use api_client::ResponseHandlers;
pub use catalog::Catalog;
pub use hosts::Site;
pub use integration::{App, Connections, HostPattern, Hosts, Integration};
pub use methods::{
    ApiClient, ClientAuthentication, GrantType, MethodError, MethodInput, OAuthConfig, Staleness,
};
pub use place::Place;
pub use schema::{Flaw, Schema};
pub use spec::{AuthType, Connector};
