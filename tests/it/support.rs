//! A whole Sidegate in this process, the API behind it as a socket that writes down every byte, and callers that speak
//! raw bytes. Never shares code with what it tests, but for making tokens.

pub(crate) mod http_2;
mod origin;
mod peer;
mod process;
pub(crate) mod provider;
pub(crate) mod service;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidegate::app::reload::Report;
use sidegate::app::{self, Outside, Running, StartError};
use sidegate::clock::SystemClock;
use sidegate::config::{self, Flags, Sources};
use sidegate::http::egress::Names;
use sidegate::http::listener::Address;
use sidegate::http::tls::ClientTls;
use sidegate::secret::Secret;
use sidegate::token::keys::Algorithm;
use sidegate::token::mint::{SigningKey, mint};

pub(crate) use origin::{Origin, Seen};
pub(crate) use peer::{Answer, Peer};
pub(crate) use process::Process;

/// How long a test waits for what must happen before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The secret of the workspace `acme`.
pub(crate) const SECRET: &str =
    "the secret of acme, long enough for HS512: 0123456789abcdefghijklmnopqrstuvw";
/// The secret of the workspace `globex`.
pub(crate) const OTHER_SECRET: &str =
    "the secret of globex, long enough for HS512: 9876543210abcdefghijklmnopqrs";

/// A token of acme with these claims over `id: anna`; a claim of `null` is left out.
pub(crate) fn token(claims: &Value) -> String {
    let mut all = json!({"iss": "acme", "id": "anna", "exp": 4_000_000_000_u64});
    for (name, value) in claims.as_object().unwrap() {
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
            value => all[name] = value.clone(),
        }
    }
    signed(&all, SECRET)
}

/// Exactly these claims under this secret.
pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    let key = SigningKey::Secret(Secret::new(secret.to_owned()));
    mint(claims.as_object().unwrap(), Algorithm::HS256, &key, None).unwrap()
}

/// A header line with anna's token.
pub(crate) fn as_anna() -> String {
    format!("X-Integration-App-Token: {}\r\n", token(&json!({})))
}

/// A folder that is gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sidegate-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in folders below.
    pub(crate) fn write_below(&self, path: &str, text: &str) {
        fs::create_dir_all(self.0.join(path).parent().unwrap()).unwrap();
        self.write(path, text);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A Sidegate that serves in this process until the test ends.
pub(crate) struct Gate {
    running: Option<Running>,
    folder: Folder,
}

impl Gate {
    /// One upstream, everything else by default: each path demands a verified token.
    pub(crate) fn before(origin: &Origin) -> Self {
        Self::with(origin, "")
    }

    /// One upstream with more of its settings, as a YAML flow mapping's inside: `rules: […], identity: {…}`.
    pub(crate) fn with(origin: &Origin, settings: &str) -> Self {
        let api = format!("api: {{upstream: 'http://{}', {settings}}}", origin.address);
        Self::configured(&format!("upstreams: {{{api}}}\n"))
    }

    /// Any upstreams; `more` is the end of sidegate.yaml.
    pub(crate) fn configured(more: &str) -> Self {
        Self::try_configured(more).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The same where it may fail to start.
    pub(crate) fn try_configured(more: &str) -> Result<Self, StartError> {
        Self::start_in(more, outside(Names::default()))
    }

    /// The same in a world that the test makes.
    pub(crate) fn start_in(more: &str, outside: Outside) -> Result<Self, StartError> {
        Self::start_beside(Folder::new(), more, outside)
    }

    /// The same with what else is in the folder.
    pub(crate) fn start_beside(folder: Folder, more: &str, outside: Outside) -> Result<Self, StartError> {
        folder.write("sidegate.yaml", &whole(more));
        folder.write("acme", SECRET);
        folder.write("globex", OTHER_SECRET);
        let sources = Sources {
            paths: vec![folder.path().to_owned()],
            flags: Flags::default(),
            environment: [].into(),
        };
        let mut settings = config::load(&sources).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
        // This program is the test's, which is no worker.
        if let Some(service) = &mut settings.service {
            service.scripts.program = env!("CARGO_BIN_EXE_sidegate").into();
        }
        let running = app::start_in(settings, outside)?;
        Ok(Self { running: Some(running), folder })
    }

    /// Where its files are: sidegate.yaml, acme and globex.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of its configuration, as an editor that renames it into place.
    pub(crate) fn rewrite(&self, name: &str, text: &str) {
        self.folder.write(".new", text);
        fs::rename(self.folder().join(".new"), self.folder().join(name)).unwrap();
    }

    /// Another sidegate.yaml, with what is common to all of them.
    pub(crate) fn reconfigure(&self, more: &str) {
        self.rewrite("sidegate.yaml", &whole(more));
    }

    /// Reads the configuration again, as SIGHUP does.
    pub(crate) fn reload(&self) -> Report {
        self.running.as_ref().unwrap().reload()
    }

    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let addresses = self.running.as_ref().unwrap().addresses();
        let found = addresses.iter().find(|(name, _)| *name == listener);
        let Some((_, Address::Tcp(address))) = found else { panic!("no {listener} in {addresses:?}") };
        *address
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::to(self.address("inbound"))
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut caller = self.connect();
        caller.say(request);
        caller.answer()
    }

    /// `GET path` with these header lines, each with its line end.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n{headers}\r\n"))
    }

    /// Winds down in a thread of its own; the returned handle is done when it is.
    pub(crate) fn stop(mut self) -> std::thread::JoinHandle<app::lifecycle::Ended> {
        let running = self.running.take().unwrap();
        std::thread::spawn(move || running.wind_down())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.wind_down();
        }
    }
}

/// The real world but for who knows the names.
pub(crate) fn outside(names: Names) -> Outside {
    Outside { clock: Arc::new(SystemClock), names, third_parties: ClientTls::default() }
}

const COMMON: &str = "
accessLog: {to: off}
";

/// A sidegate.yaml with this at its beginning.
fn whole(more: &str) -> String {
    // Only keys of the top level count: `workspaces` is one of an upstream's `token`, too.
    let unless_given = |key: &str, line: &'static str| {
        if more.lines().any(|given| given.starts_with(key)) { "" } else { line }
    };
    let inbound = unless_given("listeners:", "listeners: {inbound: {address: '127.0.0.1:0'}}\n");
    let workspaces = unless_given(
        "workspaces:",
        "workspaces: {acme: {secret: {file: acme}}, globex: {secret: {file: globex}}}\n",
    );
    let workers = unless_given("workers:", "workers: 1\n");
    let stop = unless_given("shutdown:", "shutdown: {delay: 0s, grace: 100ms}\n");
    format!("{inbound}{more}{COMMON}{workspaces}{workers}{stop}")
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to pass: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
