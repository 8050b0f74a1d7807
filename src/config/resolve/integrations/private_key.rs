//! What an app signs assertions with, and whether it has to.
//! Knows nothing of what is signed.

use std::sync::Arc;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::config::resolve::workspaces::algorithm;
use crate::token::mint::{MintError, PrivateKey};

impl Resolver<'_> {
    /// An app's key, if it has one that can be used.
    pub(super) fn private_key(&mut self, typed: &raw::App, path: &KeyPath) -> Option<Arc<PrivateKey>> {
        let pem = self.secret(typed.private_key.as_ref()?, &path.key("privateKey"))?;
        let id = typed.key_id.as_ref().map(|id| id.0.clone());
        let error = match PrivateKey::new(pem, typed.algorithm.map(algorithm), id) {
            Ok(key) => return Some(Arc::new(key)),
            Err(error) => error,
        };
        let (key, cure) = match error {
            MintError::KeyDoesNotFit(_) | MintError::WrongKey { .. } => {
                ("algorithm", "write one of the key's kind, or remove it for the usual one")
            }
            _ => ("privateKey", "give it an RSA or EC key; openssl pkcs8 -topk8 -nocrypt converts one"),
        };
        let path = path.key(key);
        self.error(&path, format!("`{path}` is of no use: {error}"), cure);
        None
    }

    /// Apps sign with a key where the token endpoint wants that, and have none in vain.
    pub(super) fn check_who_signs(&mut self, typed: &raw::Integration, path: &KeyPath) {
        let way = typed.token_endpoint.client_authentication;
        let sign = way == Some(raw::ClientAuthentication::PrivateKeyJwt);
        if sign && typed.apps.is_empty() {
            let path = path.key("tokenEndpoint").key("clientAuthentication");
            let problem = format!("`{path}` lets an app sign, and there is none");
            self.error(&path, problem, "list it below `apps`, with its privateKey");
        }
        for (path, app) in self.places.items(&path.key("apps"), &typed.apps) {
            let key = path.key("privateKey");
            match (&app.private_key, sign) {
                (None, true) => {
                    let cure = "write privateKey: {file: …}, a private key in PEM form";
                    self.error(&key, format!("`{key}` is missing: it is what the app signs with"), cure);
                }
                (Some(_), false) => {
                    let cure = "write tokenEndpoint: {clientAuthentication: privateKeyJwt}, or remove it";
                    self.warn(&key, format!("`{key}` is not used"), cure);
                }
                _ => {}
            }
            let details = [("keyId", app.key_id.is_some()), ("algorithm", app.algorithm.is_some())];
            for (name, _) in details.into_iter().filter(|(_, given)| *given && app.private_key.is_none()) {
                let path = path.key(name);
                self.error(&path, format!("`{path}` is about no key"), "add privateKey, or remove it");
            }
        }
    }
}
