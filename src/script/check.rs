//! Scripts looked at before anybody needs them: does each compile, are its imports there, does it export its method?
//! Never calls a method. Blocks, as reading a configuration does.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Config;
use super::error::ErrorKind;
use super::limits::{Limit, Limits};
use super::message::{self, Job, Turn};
use super::pool::SUBCOMMAND;
use super::source::Script;
use crate::document::{Complaint, Position};

/// Loads each script in a worker of its own and tells what is wrong. What stands outside of its functions runs there, with
/// nothing to ask for, and the processor time of one run.
#[must_use]
pub fn check<'a>(
    config: &Config,
    scripts: impl IntoIterator<Item = (&'a Script, &'a str)>,
) -> Vec<Complaint> {
    scripts.into_iter().filter_map(|(script, method)| check_one(config, script, method)).collect()
}

fn check_one(Config { program, limits, .. }: &Config, script: &Script, method: &str) -> Option<Complaint> {
    if !script.is_within(limits) {
        return Some(complaint(script, method, &ErrorKind::Limit(Limit::Source.of(limits)), None));
    }
    let job = Job {
        file: script.file().to_owned(),
        source: script.text().to_owned(),
        method: method.to_owned(),
        argument: None,
        offers_api_client: false,
    };
    let (kind, place) = match load(program, limits, &job) {
        Ok(Some(Turn::Done(done))) => ErrorKind::of(done.outcome.err()?, limits),
        Ok(Some(Turn::Asks(_))) => (ErrorKind::AsksTooEarly, None),
        Ok(None) => (ErrorKind::Crashed("while it was loaded".into()), None),
        Err(error) => (ErrorKind::NoWorker(error), None),
    };
    Some(complaint(script, method, &kind, place))
}

fn complaint(script: &Script, method: &str, kind: &ErrorKind, place: Option<(u32, u32)>) -> Complaint {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Complaint {
        file: script.file().into(),
        position: place.map(|(line, column)| Position { line: number(line), column: number(column) }),
        problem: format!("{method} {kind}"),
        cure: String::new(),
    }
}

/// The first that a worker says about `job`, or nothing if it ended without a word. It cannot take long: it has nobody to
/// wait for, and its processor time is limited.
fn load(program: &Path, limits: &Limits, job: &Job) -> io::Result<Option<Turn>> {
    let mut worker = Killed(
        Command::new(program)
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let (Some(mut stdin), Some(mut stdout)) = (worker.0.stdin.take(), worker.0.stdout.take()) else {
        return Err(io::Error::other("a process without its pipes"));
    };
    message::write(&mut stdin, limits)?;
    message::write(&mut stdin, job)?;
    message::read(&mut stdout.by_ref(), limits.message())
}

/// Ended when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
