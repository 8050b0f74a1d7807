//! The layers, one over the other: files, environment, flags; what none of them sets has its default from `raw`.
//! Knows nothing of what the values mean.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::check::{Source, Walk};
use super::environment::{self, insert, text_node};
use super::path::{KeyPath, Place, Places};
use super::schema::Shape;
use super::watched::Watched;
use super::{Flags, Sources, files, raw};
use crate::document::Complaint;

/// Everything that was typed, merged.
pub(super) struct Layered {
    pub(super) raw: raw::Sidegate,
    pub(super) places: Places,
    /// The folders under connectors/, by key.
    pub(super) connectors: BTreeMap<String, PathBuf>,
    pub(super) complaints: Vec<Complaint>,
    /// Every file that was read.
    pub(super) watched: Watched,
}

/// Reads and merges all layers. With complaints, `raw` is what could be read in spite of them.
pub(super) fn merge(sources: &Sources) -> Layered {
    let mut places = Places::default();
    let mut complaints = Vec::new();
    let mut files = files::read(&sources.paths, &sources.environment, &mut places, &mut complaints);
    let variables = environment::assign(&sources.environment, &files.mentioned, &mut places, &mut complaints);
    let short = Short::from(sources);
    let replaced: Vec<KeyPath> = variables.secrets.iter().cloned().chain(short.secret_path()).collect();
    let short = short.layer(&mut places, &mut complaints);

    let mut figment = Figment::new();
    for layer in &mut files.layers {
        replaced.iter().for_each(|secret| forget(layer, secret.keys()));
        figment = figment.merge(Layer("files", std::mem::take(layer)));
    }
    figment = figment.merge(Layer("environment", variables.values)).merge(Layer("flags", short));
    let raw = figment.extract().unwrap_or_else(|error| {
        complaints.extend(error.into_iter().map(|error| from_figment(&error, &places)));
        raw::Sidegate::default()
    });
    Layered { raw, places, connectors: files.connectors, complaints, watched: files.watched }
}

struct Layer(&'static str, Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.1.clone())]))
    }
}

fn forget(dict: &mut Dict, path: &[String]) {
    match path {
        [] => {}
        [key] => drop(dict.remove(key)),
        [key, below @ ..] => {
            if let Some(Value::Dict(_, inner)) = dict.get_mut(key) {
                forget(inner, below);
            }
        }
    }
}

/// The walk has seen each layer, so only layers that do not fit together come here.
fn from_figment(error: &Error, places: &Places) -> Complaint {
    let keys: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let path = KeyPath::of(&keys);
    places.nearest(&path).complaint(format!("`{path}`: {}", error.kind), "make the layers agree on its form")
}

/// The short form for one upstream and one workspace: `--upstream URL --workspace KEY --workspace-secret-file FILE`.
#[derive(Default)]
struct Short<'a> {
    upstream: Option<(&'a str, Place)>,
    workspace: Option<(&'a str, Place)>,
    secret: Option<(&'static str, &'a str, Place)>,
}

impl<'a> Short<'a> {
    fn from(sources: &'a Sources) -> Self {
        let Flags { upstream, workspace, workspace_secret_file } = &sources.flags;
        let variable =
            |name: &str| sources.environment.get(name).map(|value| (value.as_str(), Place::variable(name)));
        let flag = |value: &'a Option<String>, name| value.as_deref().map(|value| (value, Place::flag(name)));
        let in_file = |(value, place)| ("file", value, place);
        Self {
            upstream: flag(upstream, "--upstream").or_else(|| variable("SIDEGATE_UPSTREAM")),
            workspace: flag(workspace, "--workspace").or_else(|| variable("SIDEGATE_WORKSPACE")),
            secret: workspace_secret_file
                .as_deref()
                .and_then(|file| Some((file.to_str()?, Place::flag("--workspace-secret-file"))))
                .or_else(|| variable("SIDEGATE_WORKSPACE_SECRET_FILE"))
                .map(in_file)
                .or_else(|| {
                    variable("SIDEGATE_WORKSPACE_SECRET").map(|(value, place)| ("value", value, place))
                }),
        }
    }

    fn secret_path(&self) -> Option<KeyPath> {
        let (key, _) = self.workspace.as_ref()?;
        self.secret.as_ref().map(|_| KeyPath::of(&["workspaces", key, "secret"]))
    }

    fn layer(self, places: &mut Places, complaints: &mut Vec<Complaint>) -> Dict {
        let no_listeners = places.exact(&KeyPath::of(&["listeners"])).is_none()
            && places.below(&KeyPath::of(&["listeners"])).next().is_none();
        let mut short = ShortLayer { dict: Dict::new(), places, complaints };
        if let Some((url, place)) = self.upstream {
            short.put(&["upstreams", "default", "upstream"], url, &place);
            if no_listeners {
                short.put(&["listeners", "inbound", "address"], "0.0.0.0:8080", &place);
                short.put(&["listeners", "health", "address"], "127.0.0.1:9091", &place);
            }
        }
        match (self.workspace, self.secret) {
            (Some((key, _)), Some((kind, text, place))) => {
                short.put(&["workspaces", key, "secret", kind], text, &place);
            }
            (Some((_, place)), None) => short.complaints.push(place.complaint(
                "the workspace has no secret",
                "add --workspace-secret-file, or describe it in a file",
            )),
            (None, Some((_, _, place))) => short.complaints.push(
                place.complaint("the secret is for no workspace", "add --workspace with the workspace's key"),
            ),
            (None, None) => {}
        }
        short.dict
    }
}

struct ShortLayer<'a> {
    dict: Dict,
    places: &'a mut Places,
    complaints: &'a mut Vec<Complaint>,
}

impl ShortLayer<'_> {
    fn put(&mut self, keys: &[&str], text: &str, place: &Place) {
        let path = KeyPath::of(keys);
        let Some(shape) = keys.iter().try_fold(Shape::sidegate(), |shape, key| shape.inner(key)) else {
            return;
        };
        let mut walk =
            Walk { source: Source::Outside(place), places: self.places, complaints: self.complaints };
        if let Some(value) = walk.value(shape, &text_node(text), &path) {
            insert(&mut self.dict, path.keys(), value);
        }
    }
}
