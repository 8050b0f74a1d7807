//! From what was typed to each room's own settings, with every complaint that only the meaning can raise.
//! Never prints a value that may be secret.

mod browsers;
mod cors;
mod gate;
mod integrations;
mod listeners;
mod rules;
mod upstreams;
mod workspaces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fixed::Fixed;
use super::layers::Layered;
use super::path::{KeyPath, Places};
use super::watched::Watched;
use super::{AccessLogTo, Reading, Reload, ServiceSettings, Settings, Shutdown, Sources, raw};
use crate::document::{Complaint, did_you_mean};
use crate::seal::keyring::SealingKey;
use crate::{outbound, store};

/// Connections whose opened credentials are kept in memory.
const CACHED_CREDENTIALS: u64 = 10_000;

/// Resolves what was typed; without settings, every complaint of the walk and of the meaning together.
pub(super) fn settings(layered: Layered, sources: &Sources) -> Reading {
    let Layered { raw, places, connectors, complaints, watched } = layered;
    let incomplete = !complaints.is_empty();
    let mut resolver = Resolver {
        places: &places,
        environment: &sources.environment,
        complaints,
        warnings: Vec::new(),
        watched,
        incomplete,
    };
    let settings = resolver.settings(&raw, &connectors);
    let Resolver { mut complaints, mut warnings, watched, .. } = resolver;
    tidy(&mut complaints);
    tidy(&mut warnings);
    let settings = complaints.is_empty().then(|| Settings {
        warnings,
        places,
        sources: sources.clone(),
        watched: watched.clone(),
        ..settings
    });
    Reading { settings: settings.ok_or(complaints), watched }
}

/// Collects complaints while the sections are resolved.
pub(super) struct Resolver<'a> {
    pub(super) places: &'a Places,
    pub(super) environment: &'a BTreeMap<String, String>,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
    pub(super) watched: Watched,
    /// The walk left something out, so that what is missing here may only have been misspelled.
    incomplete: bool,
}

impl Resolver<'_> {
    fn settings(&mut self, raw: &raw::Sidegate, connectors: &BTreeMap<String, PathBuf>) -> Settings {
        let listeners = self.listeners(&raw.listeners);
        let tokens = self.tokens(raw);
        let upstreams = self.upstreams(raw);
        let gate = self.gate(raw);
        let integrations = self.integrations(raw, connectors);
        let service = self.service(raw);
        self.check_whole(raw);
        Settings {
            listeners,
            workers: raw.workers.unwrap_or_else(available_workers),
            shutdown: Shutdown { delay: raw.shutdown.delay.0, grace: raw.shutdown.grace.0 },
            access_log_sample: raw.access_log.sample,
            reload: Reload { poll: Some(raw.reload.poll.0).filter(|poll| !poll.is_zero()) },
            access_log: match raw.access_log.to {
                raw::LogTarget::Stdout => AccessLogTo::Stdout,
                raw::LogTarget::Off => AccessLogTo::Off,
            },
            tokens,
            upstreams,
            gate,
            integrations,
            service,
            fixed: Fixed::of(raw),
            warnings: Vec::new(),
            places: Places::default(),
            sources: Sources::default(),
            watched: Watched::default(),
        }
    }

    fn service(&mut self, raw: &raw::Sidegate) -> Option<ServiceSettings> {
        let browsers = self.browsers(raw);
        let outbound = raw.listeners.outbound.as_ref().map(|outbound| self.callers(outbound));
        // Without that listener there is nobody to believe.
        let nobody = || outbound::Config { trust_caller: false, service_secret: None };
        let outbound = outbound.or_else(|| raw.listeners.connect.as_ref().map(|_| nobody()));
        let statuses = raw.listeners.outbound.as_ref().map(|outbound| self.statuses(&outbound.statuses));
        // The keys are read even where no listener uses them, so that a wrong one is told now.
        let sealing_keys = self.sealing_keys(raw);
        let store = self.store(raw.store.as_ref()?);
        let scripts = raw.scripts.config();
        let statuses = statuses.unwrap_or_default();
        Some(ServiceSettings { outbound: outbound?, statuses, browsers, store, sealing_keys, scripts })
    }

    fn store(&mut self, store: &raw::Store) -> store::Config {
        let path = KeyPath::of(&["store", "redb", "path"]);
        let path = self.places.file_named(&path, store.redb.path.0.as_ref());
        let place = KeyPath::of(&["store", "spill"]);
        let spill = store.spill.as_ref().map(|spill| self.places.file_named(&place, spill.0.as_ref()));
        if let Some(spill) = &spill
            && is_folder_of(spill, &path)
        {
            let problem =
                "`store.spill` is the folder of the store: a disk that takes no store takes no tokens either";
            self.warn(&place, problem, "name a folder on another disk");
        }
        store::Config { path, spill, cached_credentials: CACHED_CREDENTIALS }
    }

    fn sealing_keys(&mut self, raw: &raw::Sidegate) -> Vec<SealingKey> {
        let mut keys: Vec<SealingKey> = Vec::new();
        let list = KeyPath::of(&["encryption", "keys"]);
        let typed = raw.encryption.as_ref().map_or(&[][..], |encryption| &encryption.keys);
        for (path, typed) in self.places.items(&list, typed) {
            let id = typed.id.0.clone();
            if keys.iter().any(|key| key.id == id) {
                let cure = "give each key its own id";
                self.error(&path.key("id"), format!("a second sealing key is called `{id}`"), cure);
            }
            let Some(text) = self.secret_text(&typed.key, &path.key("key")) else { continue };
            if !is_base64_of_32_bytes(&text) {
                let problem = format!("`{}` is not base64 of 32 bytes", path.key("key"));
                self.error(&path.key("key"), problem, "make one: head -c 32 /dev/urandom | base64");
            }
            keys.push(SealingKey { id, key: text.into() });
        }
        keys
    }

    /// What must be there because something else is.
    fn check_whole(&mut self, raw: &raw::Sidegate) {
        let listeners = KeyPath::of(&["listeners"]);
        let inbound = listeners.key("inbound");
        let outbound = listeners.key("outbound");
        let listeners_of_traffic = [
            raw.listeners.inbound.is_some(),
            raw.listeners.outbound.is_some(),
            raw.listeners.connect.is_some(),
        ];
        if !listeners_of_traffic.contains(&true) {
            let cure = "add one under `listeners`; or name your files with --config PATH, or your API with --upstream URL";
            self.absent(
                &listeners,
                "nothing listens: there is neither an inbound nor an outbound nor a connect listener",
                cure,
            );
        }
        if raw.listeners.inbound.is_some() && raw.upstreams.is_empty() {
            let cure = "add a file upstreams/NAME.yaml with `upstream: http://…`";
            self.absent(&inbound, "the inbound listener has no upstream to forward to", cure);
        }
        if raw.listeners.inbound.is_some() && raw.workspaces.is_empty() {
            let cure = "add the issuer of your tokens under `workspaces`, or --workspace and --workspace-secret-file";
            self.absent(&inbound, "the inbound listener has no workspace whose tokens it could verify", cure);
        }
        if raw.listeners.outbound.is_some() && raw.store.is_none() {
            let cure = "add `store: {redb: {path: …}}`";
            self.absent(&outbound, "the outbound listener has no store to find connections in", cure);
        }
        if raw.listeners.connect.is_some() {
            self.check_connect(raw, &listeners.key("connect"));
        }
        if raw.store.is_some() && raw.encryption.is_none() {
            let cure = "add `encryption: {keys: [{id: k1, key: {file: …}}]}`";
            self.absent(&KeyPath::of(&["store"]), "the store has no key to seal credentials with", cure);
        }
    }

    /// The workspaces that `names` name, complaining about unknown ones.
    fn known_workspaces(&mut self, names: &[String], path: &KeyPath, raw: &raw::Sidegate) {
        let unknown = |(_, name): &(KeyPath, &String)| !raw.workspaces.contains_key(*name);
        for (path, name) in self.places.items(path, names).into_iter().filter(unknown) {
            let cure = suggestion(name, raw.workspaces.keys(), "add it under `workspaces`");
            self.absent(&path, format!("there is no workspace `{name}`"), cure);
        }
    }

    pub(super) fn error(&mut self, path: &KeyPath, problem: impl Into<String>, cure: impl Into<String>) {
        self.complaints.push(self.places.nearest(path).complaint(problem, cure));
    }

    pub(super) fn warn(&mut self, path: &KeyPath, problem: impl Into<String>, cure: impl Into<String>) {
        self.warnings.push(self.places.nearest(path).complaint(problem, cure));
    }

    /// An error that may only follow from another one: silent when the walk already complained.
    fn absent(&mut self, path: &KeyPath, problem: impl Into<String>, cure: impl Into<String>) {
        if !self.incomplete {
            self.error(path, problem, cure);
        }
    }
}

/// Whether the file is in just this folder, by whatever names.
fn is_folder_of(folder: &Path, file: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    file.parent().is_some_and(|parent| real(parent) == real(folder))
}

fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a String>, otherwise: &str) -> String {
    match did_you_mean(word, known.map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_owned(),
    }
}

/// The CPUs of the cgroup, as the standard library reads them.
fn available_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn is_base64_of_32_bytes(text: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.trim()).is_ok_and(|bytes| bytes.len() == 32)
}

fn tidy(complaints: &mut Vec<Complaint>) {
    complaints.sort();
    complaints.dedup();
}
