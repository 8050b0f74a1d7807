//! The real binary as a process of its own, for what only a process can show: its memory, its log, its end.
//! Never reads its diagnostics but for the addresses.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use super::{Folder, OTHER_SECRET, Peer, SECRET};

/// A running `sidegate run`; killed when the test is over.
pub(crate) struct Process {
    child: Child,
    diagnostics: Option<JoinHandle<String>>,
    addresses: BTreeMap<String, SocketAddr>,
    folder: Folder,
}

impl Process {
    /// One upstream, and this at the end of sidegate.yaml.
    pub(crate) fn before(upstream: SocketAddr, more: &str) -> Self {
        Self::listening(upstream, "", more)
    }

    /// Any upstreams at the end of sidegate.yaml.
    pub(crate) fn configured(more: &str) -> Self {
        Self::started("", more)
    }

    /// With more listeners, as a YAML flow mapping's inside: `health: {address: …}`.
    pub(crate) fn listening(upstream: SocketAddr, listeners: &str, more: &str) -> Self {
        Self::started(listeners, &format!("upstreams: {{api: {{upstream: 'http://{upstream}'}}}}\n{more}"))
    }

    fn started(listeners: &str, more: &str) -> Self {
        Self::in_environment(&[], listeners, more)
    }

    /// With variables of the environment.
    pub(crate) fn in_environment(environment: &[(&str, &str)], listeners: &str, more: &str) -> Self {
        let folder = Folder::new();
        folder.write("acme", SECRET);
        folder.write("globex", OTHER_SECRET);
        folder.write(
            "sidegate.yaml",
            &format!(
                "listeners: {{inbound: {{address: '127.0.0.1:0'}}, {listeners}}}\nworkers: 2\n\
                 workspaces: {{acme: {{secret: {{file: acme}}}}}}\n{more}"
            ),
        );
        Self::spawned(environment, folder, 1 + listeners.matches("address").count())
    }

    /// With the files of this folder, which name so many listeners.
    pub(crate) fn within(folder: Folder, listeners: usize) -> Self {
        Self::spawned(&[], folder, listeners)
    }

    fn spawned(environment: &[(&str, &str)], folder: Folder, listeners: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sidegate"))
            .args(["run", "--config"])
            .arg(folder.path())
            .env_clear()
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut diagnostics = BufReader::new(child.stderr.take().unwrap());
        let mut addresses = BTreeMap::new();
        while addresses.len() < listeners {
            let mut line = String::new();
            assert_ne!(diagnostics.read_line(&mut line).unwrap(), 0, "it ended before it listened");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let (Some(name), Some(address)) = (line["listener"].as_str(), line["address"].as_str()) {
                addresses.insert(name.to_owned(), address.parse().unwrap());
            }
        }
        // What does not fit into the pipe must not stop it.
        let diagnostics = std::thread::spawn(move || {
            let mut all = String::new();
            diagnostics.read_to_string(&mut all).map_or_else(|error| error.to_string(), |_| all)
        });
        Self { child, diagnostics: Some(diagnostics), addresses, folder }
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::to(self.address("inbound"))
    }

    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// The most memory it ever held, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// As an orchestrator does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// As an operator does who changed a file.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Writes a file of its configuration: sidegate.yaml, acme or globex.
    pub(crate) fn rewrite(&self, name: &str, text: &str) {
        self.folder.write(name, text);
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// As a machine that fails does: nothing is finished. Its files stay.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: a bare machine has no program of that name.
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for its end: how it ended, and its access log.
    pub(crate) fn end(self) -> (ExitStatus, String) {
        let (status, log, _) = self.end_with_diagnostics();
        (status, log)
    }

    /// The same with its diagnostics.
    pub(crate) fn end_with_diagnostics(mut self) -> (ExitStatus, String, String) {
        let mut log = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut log).unwrap();
        let status = self.child.wait().unwrap();
        let diagnostics = self.diagnostics.take().unwrap().join().unwrap();
        (status, log, diagnostics)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
