//! What only the rooms can tell about their settings: whether keys and certificates are usable, each with its place.
//! Never opens a listener or the store.

use std::collections::HashSet;
use std::fmt::Display;

use crate::config::{Places, Settings};
use crate::connector::AuthOption;
use crate::document::Complaint;
use crate::http::tls;
use crate::report::report;
use crate::script;
use crate::seal::Keyring;
use crate::store::StoreError;
use crate::token::WorkspaceConfig;
use crate::token::keys::{KeyComplaint, KeySet};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What would stop the start.
    pub errors: Vec<Complaint>,
    /// What deserves a look.
    pub warnings: Vec<Complaint>,
}

/// Tries the keys and certificates of `settings`.
#[must_use]
pub fn rehearse(settings: &Settings) -> Findings {
    let mut findings = Findings::default();
    findings.token_keys(settings);
    findings.certificates(settings);
    findings.scripts(settings);
    if let Some(service) = &settings.service
        && let Err(error) = Keyring::new(&service.sealing_keys)
    {
        findings.refuse(&settings.places, &["encryption", "keys"], report(&error), "");
    }
    findings
}

impl Findings {
    fn token_keys(&mut self, settings: &Settings) {
        for workspace in &settings.tokens.workspaces {
            let (_, complaints) = KeySet::new(workspace);
            // Where a key was refused, that none is left says nothing new.
            let refused =
                complaints.iter().any(|complaint| complaint.fatal && complaint.source_name != "keys");
            for complaint in complaints.iter().filter(|complaint| !refused || complaint.source_name != "keys")
            {
                let keys = keys_of(complaint, workspace);
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let placed = settings.places.complaint(&keys, complaint.to_string(), &complaint.cure);
                if complaint.fatal { &mut self.errors } else { &mut self.warnings }.push(placed);
            }
        }
    }

    fn certificates(&mut self, settings: &Settings) {
        for (index, listener) in settings.listeners.inbound.iter().enumerate() {
            let Some(Err(error)) = listener.tls.as_ref().map(tls::ListenerTls::load) else { continue };
            let index = index.to_string();
            let keys = ["listeners", "inbound", index.as_str(), "tls"];
            self.refuse(&settings.places, &keys, report(&error), "give it PEM files that belong together");
        }
        let connect = settings.listeners.connect.as_ref().and_then(|listener| listener.tls.as_ref());
        if let Some(Err(error)) = connect.map(tls::ListenerTls::load) {
            let keys = ["listeners", "connect", "tls"];
            self.refuse(&settings.places, &keys, report(&error), "give it PEM files that belong together");
        }
        for upstream in &settings.upstreams {
            let has_files = upstream.tls.ca.is_some() || upstream.tls.certificate.is_some();
            let Some(Err(error)) = has_files.then(|| tls::client(&upstream.tls)) else { continue };
            let keys = ["upstreams", upstream.name.as_str(), "upstream", "tls"];
            self.refuse(&settings.places, &keys, report(&error), "give it PEM files that belong together");
        }
    }

    /// Every script that an integration may run, each once.
    fn scripts(&mut self, settings: &Settings) {
        let Some(service) = &settings.service else { return };
        let mut seen = HashSet::new();
        let ways = settings.integrations.iter().flat_map(|integration| integration.connector.ways());
        let scripts = ways.flat_map(AuthOption::scripts).map(|(method, script)| (script, method.name()));
        let each = scripts.filter(|(script, method)| seen.insert((script.file().to_owned(), *method)));
        self.errors.extend(script::check(&service.scripts, each));
    }

    fn refuse(&mut self, places: &Places, keys: &[&str], problem: impl Display, cure: &str) {
        self.errors.push(places.complaint(keys, problem.to_string(), cure));
    }
}

/// What is wrong with sealing keys that a store refuses, at the place of the key at fault.
pub(super) fn unfit_keys(places: &Places, keys: &[String], error: &StoreError) -> Complaint {
    let wrong = match error {
        StoreError::WrongKey { key, .. } => keys.iter().position(|id| id == key),
        _ => None,
    };
    let index = wrong.map(|index| index.to_string());
    let mut place = vec!["encryption", "keys"];
    place.extend(index.iter().flat_map(|index| [index.as_str(), "key"]));
    places.complaint(&place, report(error).to_string(), "")
}

/// Where the key that is complained about was typed.
fn keys_of(complaint: &KeyComplaint, workspace: &WorkspaceConfig) -> Vec<String> {
    let mut keys = vec!["workspaces".to_owned(), workspace.key.as_str().to_owned()];
    let name = complaint.source_name.strip_prefix("publicKeys ");
    let index = workspace.public_keys.iter().position(|key| Some(key.name.as_str()) == name);
    match (index, complaint.source_name.split(' ').next()) {
        (Some(index), _) => keys.extend(["publicKeys".to_owned(), index.to_string(), "file".to_owned()]),
        (None, Some(source @ ("secret" | "jwks"))) => keys.push(source.to_owned()),
        (None, _) => {}
    }
    keys
}
