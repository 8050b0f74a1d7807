//! The request that a call would send, as the operator is shown it.
//! Never holds a secret: what a connector puts in was masked before.

use http::Uri;
use serde::Serialize;

/// What the operator wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The connection's id.
    pub connection: String,
    /// The request's method.
    pub method: String,
    /// A path with its query, or an absolute URL, as a caller would write it behind `/proxy`.
    pub target: String,
}

/// A request as it would be sent.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// Where it would go.
    pub url: String,
    /// Its headers: name and value.
    pub headers: Vec<(String, String)>,
}

impl Wanted {
    /// From the query `connection=…&method=…&target=…`; the connection must be there.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let mut wanted = Self { connection: String::new(), method: "GET".into(), target: String::new() };
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "connection" => wanted.connection = value.into_owned(),
                "method" => wanted.method = value.into_owned(),
                "target" => wanted.target = value.into_owned(),
                _ => {}
            }
        }
        (!wanted.connection.is_empty()).then_some(wanted)
    }
}
