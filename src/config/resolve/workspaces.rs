//! Workspaces: their secrets, public keys, JWK sets and revocations, read from disk.
//! Knows nothing of whether a key is strong or well-formed; the token room says so.

use url::Url;

use crate::config::path::KeyPath;
use crate::config::raw::{self, Workspace};
use crate::config::resolve::Resolver;
use crate::http::client::guarded;
use crate::http::egress::Egress;
use crate::report::report;
use crate::token::keys::{Algorithm, Jwks, JwksSource, PublicKey, TextFile};
use crate::token::revocations::Revocations;
use crate::token::{self, KeyPolicy, WorkspaceConfig};

impl Resolver<'_> {
    pub(super) fn tokens(&mut self, raw: &raw::Sidegate) -> token::Config {
        let workspaces = raw.workspaces.iter().map(|(key, typed)| self.workspace(key, typed)).collect();
        token::Config {
            workspaces,
            cache_entries: raw.cache.tokens,
            bad_signatures: token::Budget::percent(raw.verification.bad_signatures),
        }
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
            jwks: typed.jwks.as_ref().and_then(|jwks| self.jwks(jwks, &path.key("jwks"))),
            algorithms: typed.algorithms.iter().copied().map(algorithm).collect(),
            key_policy: match typed.key_policy {
                raw::KeyPolicy::Compatible => KeyPolicy::Compatible,
                raw::KeyPolicy::Strict => KeyPolicy::Strict,
            },
            audiences: typed.audiences.clone(),
            types: typed.types.clone(),
            max_lifetime: typed.max_lifetime.map(|longest| longest.0),
            revoked: typed.revoked.as_ref().and_then(|file| {
                let path = path.key("revoked");
                let file = self.text_file(file, &path)?;
                let read = Revocations::read(&file.path.to_string_lossy(), &file.text, key);
                self.complaints.extend(read.err().into_iter().flatten());
                Some(file)
            }),
        }
    }

    fn jwks(&mut self, typed: &raw::Jwks, path: &KeyPath) -> Option<Jwks> {
        let source = match (&typed.url, &typed.file) {
            (Some(url), None) => {
                let egress = Egress { allow_private: typed.allow_private, allow_plain: typed.allow_plain };
                JwksSource::Url { url: self.jwks_url(&url.0, egress, &path.key("url"))?, egress }
            }
            (None, Some(file)) => JwksSource::File(self.text_file(file, &path.key("file"))?),
            (None, None) => {
                self.absent(path, format!("`{path}` does not say where the set is"), "add `url` or `file`");
                return None;
            }
            (Some(_), Some(_)) => {
                let problem = format!("`{path}` names two places for one set");
                self.error(path, problem, "keep one of `url` and `file`");
                return None;
            }
        };
        Some(Jwks {
            source,
            refresh: typed.refresh.0,
            cooldown: typed.cooldown.0,
            stale_limit: typed.stale_limit.0,
            required: typed.required,
        })
    }

    /// The address of a set, as far as it can be judged without asking anybody.
    fn jwks_url(&mut self, typed: &str, egress: Egress, path: &KeyPath) -> Option<Url> {
        let Ok(url) = Url::parse(typed) else {
            self.error(path, format!("`{path}` is not a URL"), "write https://HOST/PATH");
            return None;
        };
        if let Err(error) = guarded(&url, egress) {
            let problem = format!("`{path}` may not be asked: {}", report(&error));
            self.error(
                path,
                problem,
                "write https and a public name, or set `allowPlain` or `allowPrivate` beside it",
            );
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            let problem = format!("`{path}` holds a user, a password or a fragment");
            self.error(path, problem, "a set is public: write its bare address");
            return None;
        }
        Some(url)
    }

    fn text_file(&mut self, typed: &raw::Text, path: &KeyPath) -> Option<TextFile> {
        let file = self.existing_file(&typed.0, path)?;
        let text = self.read(&file, path)?;
        Some(TextFile { path: file, text })
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

pub(super) fn algorithm(typed: raw::Algorithm) -> Algorithm {
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
