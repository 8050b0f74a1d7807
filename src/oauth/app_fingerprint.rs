//! Which app a token request speaks for, as a number that tells nothing of its secret.
//! Never stored, and never shown.

use aws_lc_rs::digest::{Context, SHA256};

use super::TokenRequest;

/// Of one app as it is configured: with another secret, or another way to send it, it is another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AppFingerprint([u8; 32]);

impl AppFingerprint {
    /// Of the app that sends `request` for what is named `whose`.
    #[must_use]
    pub fn of(whose: &str, request: &TokenRequest<'_>) -> Self {
        let mut context = Context::new(&SHA256);
        let mut add = |part: &[u8]| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        add(whose.as_bytes());
        add(request.token_uri.as_bytes());
        add(request.client_id.as_bytes());
        add(request.client_secret.map_or(&[], |secret| secret.expose().as_bytes()));
        add(format!("{:?}", request.authentication).as_bytes());
        for (name, value) in request.extra {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}
