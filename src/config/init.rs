//! A first configuration: commented, with fresh keys, in an empty folder.
//! Never overwrites a file.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SIDEGATE: &str = include_str!("init/sidegate.yaml");
const UPSTREAM: &str = include_str!("init/api.yaml");

/// Why no configuration was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file of that name is there.
    #[error("{} is already there, and init overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The file could not be written.
    #[error("{} could not be written", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
    /// The machine gave no random numbers.
    #[error("no random numbers for the keys")]
    Random,
}

/// Random bytes of a workspace secret: its base64 text is 64 bytes long and so fits HS512 (RFC 7518 section 3.2).
const WORKSPACE_SECRET: usize = 48;
/// Bytes of a sealing key: AES-256.
const SEALING_KEY: usize = 32;

/// Writes sidegate.yaml, upstreams/api.yaml and two fresh keys (readable by the owner alone) into `folder`, and returns
/// the files.
///
/// # Errors
/// When one of the files is there already, nothing is written.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>, InitError> {
    let files = [
        (folder.join("sidegate.yaml"), SIDEGATE.to_owned(), 0o644),
        (folder.join("upstreams/api.yaml"), UPSTREAM.to_owned(), 0o644),
        (folder.join("secrets/workspace"), fresh_key::<WORKSPACE_SECRET>()?, 0o600),
        (folder.join("secrets/sealing-key"), fresh_key::<SEALING_KEY>()?, 0o600),
    ];
    if let Some((path, ..)) = files.iter().find(|(path, ..)| path.exists()) {
        return Err(InitError::Exists(path.clone()));
    }
    for (path, text, mode) in &files {
        write(path, text, *mode).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => InitError::Exists(path.clone()),
            _ => InitError::Write(path.clone(), error),
        })?;
    }
    Ok(files.into_iter().map(|(path, ..)| path).collect())
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        let folder_mode = if mode == 0o600 { 0o700 } else { 0o755 };
        fs::DirBuilder::new().recursive(true).mode(folder_mode).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn fresh_key<const BYTES: usize>() -> Result<String, InitError> {
    let mut key = [0; BYTES];
    rand::fill(&mut key).map_err(|_| InitError::Random)?;
    Ok(STANDARD.encode(key) + "\n")
}
