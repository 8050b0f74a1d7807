//! How a third party wants to be spoken to: connector specs, and the integrations configured from them.
//! Never holds a customer's credentials, never does network I/O.

mod api_client;
pub mod catalog;
mod fields;
mod hosts;
mod implementation;
pub mod integration;
mod lender;
mod methods;
mod oauth1_config;
mod oauth_config;
mod option;
pub mod place;
mod refresh_settings;
mod request;
mod response;
mod schema;
pub mod spec;
mod token_settings;

pub use crate::token::mint::PrivateKey;
pub use api_client::ApiClient;
pub use catalog::Catalog;
pub use fields::MethodError;
pub use hosts::Site;
pub use implementation::{Implementation, Method};
pub use integration::{App, Connections, HostPattern, Hosts, INTERNAL_API, Integration, OptionSettings};
pub use lender::Lender;
pub use methods::MethodInput;
pub use oauth_config::{ClientAuthentication, GrantType, OAuthConfig};
pub use oauth1_config::OAuth1Config;
pub use option::{AuthOption, AuthType, Ui};
pub use place::Place;
pub use refresh_settings::{RefreshSettings, Rotation};
pub use request::{Draft, Reply, RequestMapping};
pub use response::{Handled, ResponseHandlers, Staleness};
pub use schema::{Flaw, Schema};
pub use spec::Connector;
pub use token_settings::{Encoding, ErrorCodes, TokenSettings};
