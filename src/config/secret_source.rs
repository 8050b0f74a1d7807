//! A secret from where the configuration says it is: typed, in a file, or in a variable.
//! Never prints what it read.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::path::KeyPath;
use super::raw::{Literal, Text};
use super::{raw, resolve::Resolver};
use crate::secret::Secret;

/// Where exactly one secret is.
enum Source<'a> {
    Value(&'a Literal),
    File(&'a Text),
    Env(&'a Text),
}

impl Resolver<'_> {
    /// Reads a secret; `None` after a complaint.
    pub(super) fn secret(&mut self, typed: &raw::Secret, path: &KeyPath) -> Option<Secret<String>> {
        self.secret_text(typed, path).map(Secret::new)
    }

    /// Reads what is kept like a secret but is none, or must be looked at before it is wrapped.
    pub(super) fn secret_text(&mut self, typed: &raw::Secret, path: &KeyPath) -> Option<String> {
        let text = match self.source(typed, path)? {
            Source::Value(literal) => {
                let cure = "keep it in a file that only Sidegate can read: {file: …}";
                self.warn(&path.key("value"), format!("`{path}` holds its secret in plain sight"), cure);
                literal.0.clone()
            }
            Source::File(file) => self.secret_file(&file.0, &path.key("file"))?,
            Source::Env(name) => self.secret_variable(&name.0, &path.key("env"))?,
        };
        if text.is_empty() {
            self.error(
                path,
                format!("the secret of `{path}` is empty"),
                "put the secret where the key points",
            );
            return None;
        }
        Some(text)
    }

    fn source<'a>(&mut self, typed: &'a raw::Secret, path: &KeyPath) -> Option<Source<'a>> {
        match (&typed.value, &typed.file, &typed.env) {
            (Some(value), None, None) => Some(Source::Value(value)),
            (None, Some(file), None) => Some(Source::File(file)),
            (None, None, Some(name)) => Some(Source::Env(name)),
            (None, None, None) => {
                let cure = "write one of {file: PATH}, {env: NAME} and {value: …}";
                self.error(path, format!("`{path}` does not say where its secret is"), cure);
                None
            }
            _ => {
                let cure = "keep exactly one of `file`, `env` and `value`";
                self.error(path, format!("`{path}` names more than one place for its secret"), cure);
                None
            }
        }
    }

    fn secret_file(&mut self, typed: &str, path: &KeyPath) -> Option<String> {
        let file = self.existing_file(typed, path)?;
        let mut text = self.read(&file, path)?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        self.warn_if_world_readable(&file, path);
        Some(text)
    }

    fn secret_variable(&mut self, name: &str, path: &KeyPath) -> Option<String> {
        let text = self.environment.get(name).cloned();
        if text.is_none() {
            let cure = format!("set {name}, or read the secret from a file");
            self.error(path, format!("the environment variable {name} is not set"), cure);
        }
        text
    }

    /// The path that was typed at `path`, if there is a file.
    pub(super) fn existing_file(&mut self, typed: &str, path: &KeyPath) -> Option<PathBuf> {
        let file = self.places.file_named(path, Path::new(typed));
        self.watched.note(&file);
        let shown = file.display();
        let (problem, cure) = match fs::metadata(&file) {
            Ok(about) if about.is_file() => return Some(file),
            Ok(_) => (format!("`{path}` names {shown}, which is no file"), "name the file itself"),
            Err(error) if error.kind() == ErrorKind::NotFound => (
                format!("`{path}` names {shown}, where no file is"),
                "create the file, or correct the path; a relative one starts at this file's folder",
            ),
            Err(error) => (
                format!("`{path}` names {shown}, which cannot be reached: {error}"),
                "let the user that Sidegate runs as into its folders: chmod or chown them",
            ),
        };
        self.error(path, problem, cure);
        None
    }

    /// The text of a file.
    pub(super) fn read(&mut self, file: &Path, path: &KeyPath) -> Option<String> {
        match fs::read_to_string(file) {
            Ok(text) => Some(text),
            Err(error) => {
                let problem = format!("{} cannot be read: {error}", file.display());
                let cure = match error.kind() {
                    ErrorKind::PermissionDenied => {
                        "let the user that Sidegate runs as read it: chown or chmod"
                    }
                    _ => "write it anew, as text",
                };
                self.error(path, problem, cure);
                None
            }
        }
    }

    /// Warns about a file of secrets that every user of the machine can read.
    pub(super) fn warn_if_world_readable(&mut self, file: &Path, path: &KeyPath) {
        let mode = fs::metadata(file).map(|about| about.permissions().mode()).unwrap_or_default();
        if mode & 0o004 != 0 {
            let problem = format!("{} can be read by every user of this machine", file.display());
            self.warn(
                path,
                problem,
                "take the right away: chmod o-r, or defaultMode: 0440 of a Kubernetes volume",
            );
        }
    }
}
