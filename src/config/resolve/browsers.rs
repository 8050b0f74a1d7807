//! What browsers may do: from which web apps they may ask, and where they may be sent.
//! Knows nothing of what is shown to them.

use url::Url;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::connect::{self, Redirect};

impl Resolver<'_> {
    pub(super) fn browsers(&mut self, raw: &raw::Sidegate) -> connect::Config {
        connect::Config {
            public_url: raw.public_url.as_ref().and_then(|typed| self.public_url(&typed.0)),
            origins: self.listed_origins(&raw.cors.origins, &KeyPath::of(&["cors", "origins"])),
            redirects: self.redirects(&raw.connect.redirect_uris),
        }
    }

    /// What the connect listener needs beside its address.
    pub(super) fn check_connect(&mut self, raw: &raw::Sidegate, listener: &KeyPath) {
        if raw.store.is_none() {
            let cure = "add `store: {redb: {path: …}}`";
            self.absent(listener, "the connect listener has no store to keep connections in", cure);
        }
        if raw.workspaces.is_empty() {
            let cure = "add the issuer of your tokens under `workspaces`";
            self.absent(listener, "the connect listener has no workspace whose tokens it could verify", cure);
        }
        if raw.public_url.is_none() {
            let cure = "add `publicUrl: https://…`, the address that browsers see";
            self.absent(listener, "the connect listener does not know where browsers reach it", cure);
        }
        if raw.cors.origins.is_empty() {
            let cure = "list the origins of your web apps under `cors.origins`";
            self.warn(listener, "no web app may use the connect listener from a browser", cure);
        }
    }

    /// Without a slash at its end, so that paths can follow.
    fn public_url(&mut self, typed: &str) -> Option<String> {
        match web_url(typed) {
            Some(url) if url.query().is_none() => Some(url.as_str().trim_end_matches('/').to_owned()),
            _ => {
                let cure = "write where browsers reach the connect listener, like https://auth.example.com";
                self.error(
                    &KeyPath::of(&["publicUrl"]),
                    format!("`{typed}` is no address of a web site"),
                    cure,
                );
                None
            }
        }
    }

    fn redirects(&mut self, typed: &[String]) -> Vec<Redirect> {
        let mut redirects = Vec::new();
        for (path, typed) in self.places.items(&KeyPath::of(&["connect", "redirectUris"]), typed) {
            match web_url(typed) {
                // What is asked for is compared byte for byte: it must be written as the parser writes it.
                Some(url) if url.query().is_none() && url.as_str() == typed.as_str() => {
                    let origin = url.origin().ascii_serialization();
                    redirects.push(Redirect { url: typed.clone(), origin });
                }
                Some(url) if url.query().is_none() => {
                    let problem = format!("`{typed}` is not in its usual spelling");
                    self.error(&path, problem, format!("write `{url}`"));
                }
                _ => {
                    let cure = "write an absolute address without query and fragment, like https://app.example.com/done";
                    self.error(&path, format!("`{typed}` is no place to send a browser to"), cure);
                }
            }
        }
        redirects
    }
}

/// An absolute http or https URL without user, password and fragment.
pub(super) fn web_url(typed: &str) -> Option<Url> {
    let url = Url::parse(typed).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (is_plain && matches!(url.scheme(), "https" | "http") && url.has_host()).then_some(url)
}
