//! What a configuration was read from: each file and folder with a mark of what was in it.
//! Never keeps what it read, only digests; never decides what a change means.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

/// Every file and folder that a configuration was read from, and what was there when it was read. Symbolic links are
/// followed, so that a link which is swapped under a mounted file is a change like any other.
#[derive(Clone, Debug, Default)]
pub struct Watched(BTreeMap<PathBuf, Mark>);

/// What was at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// A file with this digest.
    File([u8; 32]),
    /// A folder with these names in it.
    Folder(Vec<PathBuf>),
    /// Nothing that can be read, and why.
    Nothing(ErrorKind),
}

impl Watched {
    /// Takes note of a path, before it is read: whatever changes after this is a change.
    pub(super) fn note(&mut self, path: &Path) {
        self.0.entry(path.to_owned()).or_insert_with(|| Mark::of(path));
    }

    /// The same for a folder with everything below it.
    pub(super) fn note_all_below(&mut self, folder: &Path) {
        self.note(folder);
        let Some(Mark::Folder(entries)) = self.0.get(folder).cloned() else { return };
        for entry in entries {
            if entry.is_dir() {
                self.note_all_below(&entry);
            } else {
                self.note(&entry);
            }
        }
    }

    /// The paths at which there is something else now.
    #[must_use]
    pub fn changed(&self) -> Vec<&Path> {
        let changed = self.0.iter().filter(|(path, mark)| Mark::of(path) != **mark);
        changed.map(|(path, _)| path.as_path()).collect()
    }

    /// How many files and folders these are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Mark {
    fn of(path: &Path) -> Self {
        let read = || -> io::Result<Self> {
            if fs::metadata(path)?.is_dir() {
                return Ok(Self::Folder(listing(path)?));
            }
            let mut mark = [0; 32];
            mark.copy_from_slice(digest(&SHA256, &fs::read(path)?).as_ref());
            Ok(Self::File(mark))
        };
        read().unwrap_or_else(|error| Self::Nothing(error.kind()))
    }
}

/// The entries of a folder in order; hidden ones, such as Kubernetes' `..data` and an editor's swap files, are left out.
pub(super) fn listing(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let name =
                format!("sidegate-watched-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let folder = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(&folder.0).unwrap();
            folder
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn noted(path: &Path) -> Watched {
        let mut watched = Watched::default();
        watched.note(path);
        watched
    }

    #[test]
    fn other_content_is_a_change_and_the_same_content_written_again_is_none() {
        let folder = Folder::new();
        let file = folder.write("sidegate.yaml", "workers: 1\n");
        let watched = noted(&file);
        folder.write("sidegate.yaml", "workers: 1\n");
        assert!(watched.changed().is_empty());
        folder.write("sidegate.yaml", "workers: 2\n");
        assert_eq!(watched.changed(), [file]);
    }

    #[test]
    fn what_an_editor_renames_into_place_is_a_change() {
        let folder = Folder::new();
        let file = folder.write("secret", "one");
        let watched = noted(&file);
        fs::rename(folder.write(".secret.swp", "two"), &file).unwrap();
        assert_eq!(watched.changed(), [file]);
    }

    #[test]
    fn a_kubernetes_volume_that_swaps_its_data_link_is_a_change() {
        let folder = Folder::new();
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(folder.0.join(version)).unwrap();
            folder.write(&format!("{version}/secret"), text);
        }
        symlink("..1", folder.0.join("..data")).unwrap();
        symlink("..data/secret", folder.0.join("secret")).unwrap();
        let watched = noted(&folder.0.join("secret"));
        symlink("..2", folder.0.join("..new")).unwrap();
        assert!(watched.changed().is_empty());
        fs::rename(folder.0.join("..new"), folder.0.join("..data")).unwrap();
        assert_eq!(watched.changed(), [folder.0.join("secret")]);
    }

    #[test]
    fn a_file_that_comes_or_goes_changes_its_folder_and_a_hidden_one_does_not() {
        let folder = Folder::new();
        let watched = noted(&folder.0);
        folder.write(".api.yaml.swp", "");
        assert!(watched.changed().is_empty());
        let file = folder.write("api.yaml", "");
        assert_eq!(watched.changed(), [folder.0.as_path()]);
        fs::remove_file(file).unwrap();
        assert!(watched.changed().is_empty());
    }

    #[test]
    fn a_file_that_is_missing_is_noted_too_and_is_a_change_when_it_comes() {
        let folder = Folder::new();
        let watched = noted(&folder.0.join("later"));
        assert!(watched.changed().is_empty());
        folder.write("later", "");
        assert_eq!(watched.changed(), [folder.0.join("later")]);
    }

    #[test]
    fn a_file_that_may_no_longer_be_read_is_a_change() {
        let folder = Folder::new();
        let file = folder.write("secret", "one");
        let watched = noted(&file);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads it all the same.
        let can_read = fs::read(&file).is_ok();
        assert_eq!(watched.changed().is_empty(), can_read);
    }

    #[test]
    fn everything_below_a_folder_can_be_noted_at_once() {
        let folder = Folder::new();
        fs::create_dir(folder.0.join("deep")).unwrap();
        let file = folder.write("deep/spec.yml", "one");
        let mut watched = Watched::default();
        watched.note_all_below(&folder.0);
        assert_eq!(watched.count(), 3);
        folder.write("deep/spec.yml", "two");
        assert_eq!(watched.changed(), [file]);
    }
}
