//! Which app a token request speaks for, as a number that tells nothing of its secret.
//! Never stored, and never shown.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Client, Encoding};

/// Of one app as it is configured: with another secret, or another way to send it, it is another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AppFingerprint([u8; 32]);

impl AppFingerprint {
    /// Of the app that asks at `token_uri`, in this encoding and with these further fields, for what is named `whose`.
    #[must_use]
    pub fn of(
        whose: &str,
        token_uri: &str,
        client: &Client<'_>,
        encoding: Encoding,
        extra: &[(String, String)],
    ) -> Self {
        let mut context = Context::new(&SHA256);
        let mut add = |part: &[u8]| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        add(whose.as_bytes());
        add(token_uri.as_bytes());
        add(client.id.as_bytes());
        add(client.secret.map_or(&[], |secret| secret.expose().as_bytes()));
        add(client.private_key.map_or(&[], |key| key.fingerprint()));
        add(format!("{:?} {encoding:?}", client.authentication).as_bytes());
        for name in [client.id_name, client.secret_name, client.audience.unwrap_or_default()] {
            add(name.as_bytes());
        }
        for (name, value) in extra {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}
