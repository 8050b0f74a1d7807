//! Where a value came from: the path of its key, and the file and position, variable or flag that set it.
//! Never knows what the value is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::{Complaint, Node, Position};

/// The keys from the root of the configuration down to a value; list items count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<String>);

impl KeyPath {
    pub(super) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|&key| key.to_owned()).collect())
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let mut longer = self.clone();
        longer.0.push(key.to_owned());
        longer
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    pub(super) fn keys(&self) -> &[String] {
        &self.0
    }

    fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, key) in self.0.iter().enumerate() {
            match key.parse::<usize>() {
                Ok(index) if depth > 0 => write!(f, "[{index}]")?,
                _ if depth > 0 => write!(f, ".{key}")?,
                _ => f.write_str(key)?,
            }
        }
        Ok(())
    }
}

/// What set a value.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The file; or `environment NAME`, or `flag --NAME`.
    pub(super) source: Arc<str>,
    /// Where in the file.
    pub(super) position: Option<Position>,
}

impl Place {
    pub(super) fn in_file(file: &Arc<str>, position: Position) -> Self {
        Self { source: Arc::clone(file), position: Some(position) }
    }

    pub(super) fn variable(name: &str) -> Self {
        Self { source: format!("environment {name}").into(), position: None }
    }

    pub(super) fn flag(name: &str) -> Self {
        Self { source: format!("flag {name}").into(), position: None }
    }

    pub(super) fn complaint(&self, problem: impl Into<String>, cure: impl Into<String>) -> Complaint {
        Complaint {
            file: Arc::clone(&self.source),
            position: self.position,
            problem: problem.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// The place of every value, by its path; where the schema takes anything, the value as it was written; and for each
/// list the indices at which its items were typed, for the bad ones are left out.
#[derive(Debug, Default)]
pub struct Places {
    set: BTreeMap<KeyPath, Place>,
    written: BTreeMap<KeyPath, Node>,
    indices: BTreeMap<KeyPath, Vec<usize>>,
}

impl Places {
    /// A complaint about the value under `keys` (list items count from 0), at what set it, or the nearest one above it.
    pub fn complaint(&self, keys: &[&str], problem: impl Into<String>, cure: impl Into<String>) -> Complaint {
        self.nearest(&KeyPath::of(keys)).complaint(problem, cure)
    }

    pub(super) fn set(&mut self, path: KeyPath, place: Place) {
        self.set.insert(path, place);
    }

    pub(super) fn keep(&mut self, path: KeyPath, node: Node) {
        self.written.insert(path, node);
    }

    pub(super) fn keep_indices(&mut self, list: KeyPath, typed: Vec<usize>) {
        self.indices.insert(list, typed);
    }

    /// The items of the list at `path`, each with the path under which it was typed.
    pub(super) fn items<'a, T>(&self, path: &KeyPath, items: &'a [T]) -> Vec<(KeyPath, &'a T)> {
        let typed = self.indices.get(path).map(Vec::as_slice).unwrap_or_default();
        let typed_at = |index| path.index(typed.get(index).copied().unwrap_or(index));
        items.iter().enumerate().map(|(index, item)| (typed_at(index), item)).collect()
    }

    /// What set exactly this value; `None` is the default.
    pub(super) fn exact(&self, path: &KeyPath) -> Option<&Place> {
        self.set.get(path)
    }

    /// What set this value, or the nearest one above it.
    pub(super) fn nearest(&self, path: &KeyPath) -> Place {
        let mut path = path.clone();
        loop {
            if let Some(place) = self.set.get(&path) {
                return place.clone();
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return Place { source: "configuration".into(), position: None },
            }
        }
    }

    /// A value of any shape with its key order, as it was written.
    pub(super) fn written(&self, path: &KeyPath) -> Option<&Node> {
        self.written.get(path)
    }

    /// The keys that are set directly below `path`.
    pub(super) fn below<'a>(&'a self, path: &'a KeyPath) -> impl Iterator<Item = &'a str> {
        let depth = path.keys().len();
        self.set
            .keys()
            .filter(move |other| other.keys().len() == depth + 1 && other.keys().starts_with(path.keys()))
            .filter_map(|other| other.keys().last().map(String::as_str))
    }

    /// A path typed at `path`, relative to the file that names it; from a variable or flag, to the working directory.
    pub(super) fn file_named(&self, path: &KeyPath, typed: &Path) -> PathBuf {
        let place = self.nearest(path);
        match (place.position, Path::new(&*place.source).parent()) {
            (Some(_), Some(folder)) => folder.join(typed),
            _ => typed.to_owned(),
        }
    }
}
