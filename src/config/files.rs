//! The files of a configuration: which there are, read, interpolated and walked along their schemas.
//! Knows nothing of what the values mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Tag, Value};

use super::check::{Source, Walk};
use super::interpolate::interpolate;
use super::path::{KeyPath, Place, Places};
use super::schema::Shape;
use super::watched::{Watched, listing};
use crate::document::{self, Complaint, Kind, Node, Position};

/// What the files say.
#[derive(Default)]
pub(super) struct Files {
    /// One layer for each file, the later over the earlier.
    pub(super) layers: Vec<Dict>,
    /// The folders under connectors/, by key.
    pub(super) connectors: BTreeMap<String, PathBuf>,
    /// Environment variables that the files read by name, so that they are not taken for keys.
    pub(super) mentioned: BTreeSet<String>,
    /// Everything that was read.
    pub(super) watched: Watched,
}

/// Reads every file that `paths` name, and what stands beside them.
pub(super) fn read(
    paths: &[PathBuf],
    environment: &BTreeMap<String, String>,
    places: &mut Places,
    complaints: &mut Vec<Complaint>,
) -> Files {
    let mut reader =
        Reader { environment, places, complaints, files: Files::default(), seen: BTreeSet::new() };
    for path in paths {
        reader.path(path);
    }
    reader.files
}

struct Reader<'a> {
    environment: &'a BTreeMap<String, String>,
    places: &'a mut Places,
    complaints: &'a mut Vec<Complaint>,
    files: Files,
    seen: BTreeSet<PathBuf>,
}

/// The maps by name that may also be folders of files.
const FOLDERS: [&str; 2] = ["upstreams", "integrations"];

impl Reader<'_> {
    fn path(&mut self, path: &Path) {
        if path.is_dir() {
            self.files.watched.note(path);
            let before = self.seen.len();
            let main = ["sidegate.yaml", "sidegate.yml"].map(|name| path.join(name)).into_iter();
            for file in main.filter(|file| file.is_file()) {
                self.main(&file);
            }
            self.beside(path);
            if self.seen.len() == before {
                self.complain(path, "nothing to read in this folder", "put a sidegate.yaml into it");
            }
            return;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        match FOLDERS.into_iter().find(|name| folder.ends_with(name)) {
            Some(map) => self.entry(map, path),
            None => {
                self.main(path);
                self.beside(folder);
            }
        }
    }

    fn beside(&mut self, folder: &Path) {
        for map in FOLDERS {
            for file in self.listing(&folder.join(map)).into_iter().filter(|file| is_yaml(file)) {
                self.entry(map, &file);
            }
        }
        for connector in self.listing(&folder.join("connectors")).into_iter().filter(|path| path.is_dir()) {
            self.connector(connector);
        }
    }

    /// A folder that cannot be listed holds nothing; one that is not there is common.
    fn listing(&mut self, folder: &Path) -> Vec<PathBuf> {
        self.files.watched.note(folder);
        listing(folder).unwrap_or_default()
    }

    fn main(&mut self, path: &Path) {
        let Some((file, mut root)) = self.document(path) else { return };
        // Connector specs are in the vendor's format, where `${` may be part of a formula.
        if let Kind::Mapping(entries) = &mut root.kind {
            for entry in entries.iter_mut().filter(|entry| entry.key != "connectors") {
                interpolate(&file, &mut entry.value, self.environment, self.complaints);
            }
        }
        for map in FOLDERS.into_iter().chain(["connectors"]) {
            let named = root.get(map).map(Node::entries).unwrap_or_default();
            for entry in named {
                self.refuse_second(map, &entry.key, &Place::in_file(&file, entry.position));
            }
        }
        if let Some(Value::Dict(_, dict)) = self.walk(&file, Shape::sidegate(), &root, &KeyPath::default()) {
            self.files.layers.push(dict);
        }
    }

    fn entry(&mut self, map: &str, path: &Path) {
        let Some((file, mut root)) = self.document(path) else { return };
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { return };
        self.refuse_second(map, name, &Place::in_file(&file, root.position));
        interpolate(&file, &mut root, self.environment, self.complaints);
        let shape = if map == "upstreams" { Shape::upstream() } else { Shape::integration() };
        if let Some(value) = self.walk(&file, shape, &root, &KeyPath::of(&[map, name])) {
            let named = Dict::from([(name.to_owned(), value)]);
            self.files.layers.push(Dict::from([(map.to_owned(), Value::Dict(Tag::Default, named))]));
        }
    }

    fn connector(&mut self, folder: PathBuf) {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { return };
        if !self.seen.insert(folder.clone()) {
            return;
        }
        let source: Arc<str> = folder.join("spec.yml").to_string_lossy().into();
        let place = Place::in_file(&source, Position { line: 1, column: 1 });
        self.files.watched.note_all_below(&folder);
        self.refuse_second("connectors", &name, &place);
        self.places.set(KeyPath::of(&["connectors", &name]), place);
        self.files.connectors.insert(name, folder);
    }

    fn refuse_second(&mut self, map: &str, name: &str, place: &Place) {
        let path = KeyPath::of(&[map, name]);
        if let Some(first) = self.places.exact(&path) {
            let problem = format!("`{path}` is here a second time, the first is at {first}");
            self.complaints.push(place.complaint(problem, "keep one of the two, or rename one"));
        }
    }

    fn walk(&mut self, file: &Arc<str>, shape: Shape, root: &Node, path: &KeyPath) -> Option<Value> {
        let source = Source::File(file);
        Walk { source, places: self.places, complaints: self.complaints }.value(shape, root, path)
    }

    /// One file as a document; `None` if it was read before, or after a complaint.
    fn document(&mut self, path: &Path) -> Option<(Arc<str>, Node)> {
        if !self.seen.insert(path.to_owned()) {
            return None;
        }
        self.files.watched.note(path);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.complain(
                    path,
                    &format!("cannot be read: {error}"),
                    "check the path and its permissions",
                );
                return None;
            }
        };
        let file: Arc<str> = path.to_string_lossy().into();
        match document::parse(&file, &text) {
            Ok(root) => {
                mention(&root, &mut self.files.mentioned);
                Some((file, root))
            }
            Err(complaints) => {
                self.complaints.extend(complaints);
                None
            }
        }
    }

    fn complain(&mut self, path: &Path, problem: &str, cure: &str) {
        let place = Place { source: path.to_string_lossy().into(), position: None };
        self.complaints.push(place.complaint(problem, cure));
    }
}

fn is_yaml(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Collects the variables that a document reads by name: `{env: NAME}` and `${NAME}`.
fn mention(node: &Node, names: &mut BTreeSet<String>) {
    if let Some(text) = node.text() {
        let inside = text.split("${").skip(1).filter_map(|rest| rest.split(['}', ':']).next());
        names.extend(inside.map(str::to_owned));
    }
    if let Some(name) = node.get("env").and_then(Node::text) {
        names.insert(name.to_owned());
    }
    node.items().iter().for_each(|item| mention(item, names));
    node.entries().iter().for_each(|entry| mention(&entry.value, names));
}
