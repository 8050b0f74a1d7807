//! Workspaces: their secrets, public keys and JWK sets, read from disk.
//! Knows nothing of whether a key is strong or well-formed; the token room says so.

use crate::config::path::KeyPath;
use crate::config::raw::{self, Workspace};
use crate::config::resolve::Resolver;
use crate::token::keys::{Algorithm, JwksSource, PublicKey};
use crate::token::{self, KeyPolicy, WorkspaceConfig};

impl Resolver<'_> {
    pub(super) fn tokens(&mut self, raw: &raw::Sidegate) -> token::Config {
        let workspaces = raw.workspaces.iter().map(|(key, typed)| self.workspace(key, typed)).collect();
        token::Config { workspaces, cache_entries: raw.cache.tokens }
    }

    fn workspace(&mut self, key: &str, typed: &Workspace) -> WorkspaceConfig {
        let path = KeyPath::of(&["workspaces", key]);
        if typed.secret.is_none() && typed.public_keys.is_empty() && typed.jwks.is_none() {
            let cure = "add `secret`, `publicKeys` or `jwks`";
            self.absent(&path, format!("the workspace `{key}` has no key to verify tokens with"), cure);
        }
        if typed.secret_disabled && typed.secret.is_none() {
            let cure = "remove `secretDisabled`, or add the secret that signs tokens of our own";
            self.warn(&path.key("secretDisabled"), "there is no secret to disable", cure);
        }
        WorkspaceConfig {
            key: key.into(),
            secret: typed.secret.as_ref().and_then(|secret| self.secret(secret, &path.key("secret"))),
            secret_disabled: typed.secret_disabled,
            public_keys: self.public_keys(typed, &path.key("publicKeys")),
            jwks: typed.jwks.as_ref().and_then(|jwks| {
                let path = path.key("jwks").key("file");
                let file = self.existing_file(&jwks.file.0, &path)?;
                let text = self.read(&file, &path)?;
                Some(JwksSource { file, text })
            }),
            algorithms: typed.algorithms.iter().copied().map(algorithm).collect(),
            key_policy: match typed.key_policy {
                raw::KeyPolicy::Compatible => KeyPolicy::Compatible,
                raw::KeyPolicy::Strict => KeyPolicy::Strict,
            },
            audiences: typed.audiences.clone(),
        }
    }

    fn public_keys(&mut self, typed: &Workspace, path: &KeyPath) -> Vec<PublicKey> {
        let mut keys = Vec::new();
        for (path, typed) in self.places.items(path, &typed.public_keys) {
            let path = path.key("file");
            let Some(file) = self.existing_file(&typed.file.0, &path) else { continue };
            let Some(pem) = self.read(&file, &path) else { continue };
            if pem.contains("PRIVATE KEY") {
                let problem = format!("{} holds a private key", file.display());
                self.error(&path, problem, "give Sidegate the public half only: openssl pkey -pubout");
                continue;
            }
            let kid = typed.kid.as_ref().map(|kid| kid.0.clone());
            keys.push(PublicKey { name: typed.name.0.clone(), kid, file, pem });
        }
        keys
    }
}

fn algorithm(typed: raw::Algorithm) -> Algorithm {
    match typed {
        raw::Algorithm::HS256 => Algorithm::HS256,
        raw::Algorithm::HS384 => Algorithm::HS384,
        raw::Algorithm::HS512 => Algorithm::HS512,
        raw::Algorithm::RS256 => Algorithm::RS256,
        raw::Algorithm::RS384 => Algorithm::RS384,
        raw::Algorithm::RS512 => Algorithm::RS512,
        raw::Algorithm::ES256 => Algorithm::ES256,
        raw::Algorithm::ES384 => Algorithm::ES384,
        raw::Algorithm::ES512 => Algorithm::ES512,
        raw::Algorithm::PS256 => Algorithm::PS256,
        raw::Algorithm::PS384 => Algorithm::PS384,
        raw::Algorithm::PS512 => Algorithm::PS512,
    }
}
