//! The fuzz targets: each takes any bytes, and panics if Sidegate breaks a promise on them.
//! A promise is more than not to crash: what is accepted must hold in a second, simpler reading.

mod answers;
mod decisions;
mod heads;
mod keys;
mod paths;
mod settings;
mod tokens;

pub use answers::answer;
pub use decisions::{revoked, when};
pub use heads::head;
pub use keys::{jwks, pem};
pub use paths::{path, readings};
pub use settings::{config, formula};
pub use tokens::{claims, json, token};

/// A target and its name, which is that of its seeds' folder too.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const ALL: &[Target] = &[
    ("answer", answer),
    ("claims", claims),
    ("config", config),
    ("formula", formula),
    ("head", head),
    ("json", json),
    ("jwks", jwks),
    ("path", path),
    ("pem", pem),
    ("revoked", revoked),
    ("token", token),
    ("when", when),
];
