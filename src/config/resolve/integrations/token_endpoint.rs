//! How an integration's token endpoint departs from the standard.
//! Knows nothing of what is sent there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::config::resolve::browsers::web_url;
use crate::connector::{ClientAuthentication, Encoding, ErrorCodes, TokenSettings};
use crate::oauth::RESERVED;

impl Resolver<'_> {
    pub(super) fn token_endpoint(
        &mut self,
        typed: &raw::TokenEndpoint,
        path: &KeyPath,
    ) -> Arc<TokenSettings> {
        let refresh_uri = typed.refresh_uri.as_ref().map(|uri| uri.0.clone());
        if refresh_uri.as_deref().is_some_and(|uri| web_url(uri).is_none()) {
            let path = path.key("refreshUri");
            self.error(&path, format!("`{path}` is no http or https URL"), "write https://HOST/PATH");
        }
        self.check_names(typed, path);
        Arc::new(TokenSettings {
            client_authentication: typed.client_authentication.map(|way| match way {
                raw::ClientAuthentication::Header => ClientAuthentication::Header,
                raw::ClientAuthentication::Body => ClientAuthentication::Body,
                raw::ClientAuthentication::Both => ClientAuthentication::Both,
                raw::ClientAuthentication::None => ClientAuthentication::None,
                raw::ClientAuthentication::PrivateKeyJwt => ClientAuthentication::PrivateKeyJwt,
                raw::ClientAuthentication::ClientSecretJwt => ClientAuthentication::ClientSecretJwt,
            }),
            encoding: match typed.encoding {
                raw::Encoding::Form => Encoding::Form,
                raw::Encoding::Json => Encoding::Json,
                raw::Encoding::Query => Encoding::Query,
            },
            client_id_name: typed.client_id_name.as_ref().map(|name| name.0.clone()),
            client_secret_name: typed.client_secret_name.as_ref().map(|name| name.0.clone()),
            audience: typed.audience.as_ref().map(|audience| audience.0.clone()),
            basic_is_raw: typed.basic == raw::Basic::Raw,
            refresh_uri,
            parameters: self.further_fields(&typed.parameters, &path.key("parameters")),
            refresh_parameters: self
                .further_fields(&typed.refresh_parameters, &path.key("refreshParameters")),
            fields: typed.fields.iter().map(|(name, path)| (name.clone(), segments(path))).collect(),
            milliseconds: typed.expires_in == raw::Unit::Milliseconds,
            errors: self.error_codes(&typed.errors, &path.key("errors")),
            lifetime: typed.lifetime.map(|lifetime| lifetime.0),
        })
    }

    fn error_codes(&mut self, typed: &raw::ErrorCodes, path: &KeyPath) -> ErrorCodes {
        let lists =
            [("deadGrant", &typed.dead_grant), ("deadApp", &typed.dead_app), ("transient", &typed.transient)];
        let mut seen: BTreeMap<&str, KeyPath> = BTreeMap::new();
        for (name, codes) in lists {
            for (path, code) in self.places.items(&path.key(name), codes) {
                if let Some(first) = seen.get(code.0.as_str()) {
                    let problem = format!("`{}` stands in `{path}` and in `{first}`", code.0);
                    self.error(&path, problem, "keep it where it says what the provider means");
                }
                seen.entry(&code.0).or_insert(path);
            }
        }
        let [dead_grant, dead_app, transient] =
            lists.map(|(_, codes)| codes.iter().map(|code| code.0.clone()).collect());
        ErrorCodes { dead_grant, dead_app, transient }
    }

    /// What the endpoint calls id and secret is no other field's name.
    fn check_names(&mut self, typed: &raw::TokenEndpoint, path: &KeyPath) {
        let names = [
            ("clientIdName", "client_id", &typed.client_id_name, &typed.client_secret_name),
            ("clientSecretName", "client_secret", &typed.client_secret_name, &typed.client_id_name),
        ];
        let lists = [("parameters", &typed.parameters), ("refreshParameters", &typed.refresh_parameters)];
        for (key, standard, name, other) in names {
            let Some(name) = name.as_ref().map(|name| name.0.as_str()) else { continue };
            let is_other = other.as_ref().is_some_and(|other| other.0 == name);
            if is_other || name == "scope" || (name != standard && RESERVED.contains(&name)) {
                let path = path.key(key);
                self.error(
                    &path,
                    format!("`{path}` is the name of another field"),
                    "write the provider's own",
                );
            }
            for (list, _) in lists.into_iter().filter(|(_, fields)| fields.contains_key(name)) {
                let path = path.key(list).key(name);
                self.error(&path, format!("`{path}` is what `{key}` says"), "remove it");
            }
        }
    }

    fn further_fields(&mut self, typed: &BTreeMap<String, String>, path: &KeyPath) -> Vec<(String, String)> {
        for name in typed.keys().filter(|name| RESERVED.contains(&name.as_str())) {
            let path = path.key(name);
            self.error(&path, format!("`{path}` is the protocol's own"), "remove it");
        }
        typed.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('.').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}
