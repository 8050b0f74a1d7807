//! kill -9 at every point of an exchange: each change that the store makes to its file, and each step of the token endpoint's
//! answer; and after the disk has failed at each such change. A process of its own exchanges and is killed; then this one opens the same file, as a restart does.
//! `ROUNDS=200 cargo test --lib kill_9 -- --nocapture` is the long run: every second round kills up to 2 ms behind a step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::rotating_server::{Grace, Point, RotatingServer};
use super::scene::{HOUR, NOW, connection, credentials, integration_at, refresher, rotating, secrets};
use crate::clock::ManualClock;
use crate::connector::{Catalog, Integration, Rotation};
use crate::refresh::{RefreshError, Refresher};
use crate::secret::Secret;
use crate::store::faulty_disk::{Disk, die};
use crate::store::testing::Folder;
use crate::store::{Connection, Health, Store};
use crate::telemetry::{AccessLog, Telemetry};

/// For the process that is killed: the store's folder, the token endpoint, the change of the store's file to be killed at, and the
/// one from which on none is taken.
const ORDERS: &str = "SIDEGATE_TEST_EXCHANGE";
/// More changes of the store's file than an exchange makes.
const MANY_CHANGES: u64 = 24;
/// Where that process writes what a caller got, before it kills itself: nothing but why there is nothing.
const TOLD: &str = "told";
const WINDOW: Duration = Duration::from_secs(60);
/// The most rounds that run at once.
const AT_ONCE: usize = 4;
/// How far behind a step of the token endpoint a process is killed.
const FAR_BEHIND: Duration = Duration::from_millis(2);
/// The same where the disk has failed, so that it may be killed before new tokens are in a file, and after.
const FARTHER_BEHIND: Duration = Duration::from_millis(40);

/// Where the process is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// At the n-th change of the store's file.
    Change(u64),
    /// This long after a step of the token endpoint.
    Answer(Point, Duration),
    /// Once a caller has what came, or this long after it was sent: the disk takes no change from the n-th on.
    Refusal(u64, Option<Duration>),
}

/// What the restart finds in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Nothing,
    Mark,
    /// The mark, and the new tokens in a file beside the store.
    Spilled,
    NewTokens,
}

fn opened_with(url: &str, rotation: Rotation, store: &Store, clock: &Arc<ManualClock>) -> Arc<Refresher> {
    let integration = Integration { refresh: rotating(rotation), ..integration_at(url, "") };
    let catalog = Arc::new(arc_swap::ArcSwap::from_pointee(Catalog::new(vec![integration])));
    refresher(catalog, store, clock, &Telemetry::new(AccessLog::off(), clock.clone()))
}

fn runtime() -> tokio::runtime::Runtime {
    crate::http::tls::install_crypto();
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Not a test of its own: the process that is killed.
#[test]
#[ignore = "run by the other tests of this file"]
fn exchanges_once() {
    let orders = std::env::var_os(ORDERS).expect("run by another test").into_string().unwrap();
    let (folder, url, kill_at, fail_at): (PathBuf, String, u64, u64) = serde_json::from_str(&orders).unwrap();
    let folder = Folder::at(folder);
    runtime().block_on(async {
        let clock = Arc::new(ManualClock::at(NOW));
        let disk = Disk::under(&folder.file());
        let store = folder.store(clock.clone());
        let refresher = opened_with(&url, Rotation::Strict, &store, &clock);
        let seen = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
        // The end of the input says that whoever kills is ready.
        std::io::read_to_string(std::io::stdin()).unwrap();
        if fail_at > 0 {
            disk.fails_at(fail_at);
        } else {
            disk.kill_at(kill_at);
        }
        let outcome = refresher.fresh(seen).await;
        if disk.is_failing() {
            let told = folder.path().join(TOLD);
            std::fs::write(told, outcome.err().map_or_else(String::new, |error| error.to_string())).unwrap();
            die();
        }
        outcome.unwrap();
    });
    // A killed process leaves its folder.
    std::mem::forget(folder);
}

fn exchange(folder: &Folder, server: &RotatingServer, kill: Kill) -> Child {
    let (kill_at, fail_at) = match kill {
        Kill::Change(change) => (change, 0),
        Kill::Refusal(change, _) => (0, change),
        Kill::Answer(..) => (0, 0),
    };
    let orders = json!([folder.path(), server.url(), kill_at, fail_at]).to_string();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["refresh::tests::crashes::exchanges_once", "--exact", "--ignored"]).env(ORDERS, orders);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

struct Restart {
    server: RotatingServer,
    store: Store,
    refresher: Arc<Refresher>,
    found: Found,
    /// None: the process came to its end.
    killed: bool,
    folder: Folder,
}

impl Restart {
    /// Kills a process there, and starts again after it, this much later.
    async fn after(kill: Kill, grace: Grace, rotation: Rotation, later: Duration) -> Self {
        let (server, folder) = (RotatingServer::start(grace), Folder::new());
        prepare(&folder).await;
        let mut child = exchange(&folder, &server, kill);
        match kill {
            Kill::Answer(point, later) => server.kill_at(point, later, &child),
            Kill::Refusal(_, Some(later)) => server.kill_at(Point::Answered, later, &child),
            Kill::Change(_) | Kill::Refusal(_, None) => {}
        }
        drop(child.stdin.take());
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        let clock = Arc::new(ManualClock::at(NOW.plus(later)));
        let store = folder.store(clock.clone());
        let refresher = opened_with(&server.url(), rotation, &store, &clock);
        let found = if stored(&store).await["refresh_token"] == "r2" {
            Found::NewTokens
        } else if !store.spilled().is_empty() {
            Found::Spilled
        } else if store.open_spends().await.unwrap().is_empty() {
            Found::Nothing
        } else {
            Found::Mark
        };
        Self { server, store, refresher, found, killed: !ended.success(), folder }
    }

    /// What a caller gets.
    async fn asks(&self) -> Result<(), RefreshError> {
        let seen = self.store.open_secrets(&"c1".into()).await.unwrap().unwrap();
        let opened = self.refresher.fresh(seen).await?;
        let credentials = credentials(&opened);
        let token = |name: &str| credentials[name].as_str().unwrap().to_owned();
        assert!(self.server.takes(&token("access_token"), &token("refresh_token")), "{credentials}");
        Ok(())
    }
}

async fn prepare(folder: &Folder) {
    let store = folder.store(Arc::new(ManualClock::at(NOW)));
    let ended =
        Connection { expires_at: Some(NOW), refresh_at: Some(NOW.minus(HOUR)), ..connection("c1", NOW) };
    let first = secrets(json!({"access_token": "a1", "refresh_token": "r1"}));
    store.insert(ended, Secret::new(first), false).await.unwrap();
}

async fn stored(store: &Store) -> serde_json::Value {
    credentials(&store.open_secrets(&"c1".into()).await.unwrap().unwrap())
}

async fn health(store: &Store) -> Health {
    store.connection(&"c1".into()).await.unwrap().unwrap().health
}

/// The kills of a round, the number of changes open; and what must have been found after some of them.
struct Round {
    kills: Box<dyn Iterator<Item = Kill> + Send>,
    finds: &'static [Found],
}

impl Round {
    /// Every point.
    fn of_points(late: Option<f64>) -> Self {
        let behind = late.map_or(Duration::ZERO, |share| FAR_BEHIND.mul_f64(share));
        let answers = Point::ALL.map(|point| Kill::Answer(point, behind));
        let kills = Box::new(answers.into_iter().chain((1..).map(Kill::Change)));
        Self { kills, finds: &[Found::Nothing, Found::Mark, Found::NewTokens] }
    }

    /// After the disk has failed at every change.
    fn of_refusals(late: Option<f64>) -> Self {
        let behind = late.map(|share| FARTHER_BEHIND.mul_f64(share));
        // Who is killed late may always be killed before the end, and so never show that there are no more changes.
        let last = if late.is_some() { MANY_CHANGES } else { u64::MAX };
        let kills = Box::new((1..=last).map(move |change| Kill::Refusal(change, behind)));
        // One that is killed soon has not written a file yet.
        Self { kills, finds: if late.is_none() { &[Found::Nothing, Found::Spilled] } else { &[] } }
    }

    /// One after the other, with what `check` says of the restart after each.
    async fn run<F: Future<Output = ()>>(
        self,
        grace: Grace,
        rotation: Rotation,
        check: fn(Restart, Kill) -> F,
    ) -> Ends {
        let mut ends = Ends::new();
        for kill in self.kills {
            let restart = Restart::after(kill, grace, rotation, Duration::from_secs(1)).await;
            match kill {
                // There are no more.
                Kill::Change(_) | Kill::Refusal(..) if !restart.killed => break,
                // One that is killed late may be through.
                Kill::Answer(_, behind) => {
                    assert!(restart.killed || !behind.is_zero(), "not killed: {kill:?}");
                }
                _ => {}
            }
            *ends.entry(restart.found).or_default() += 1;
            check(restart, kill).await;
        }
        for each in self.finds {
            assert!(ends.contains_key(each), "{each:?} was never found: {ends:?}");
        }
        ends
    }
}

/// What was found after kills, by the number of times.
type Ends = BTreeMap<Found, usize>;

/// How often each point is gone through.
fn rounds() -> u32 {
    std::env::var_os("ROUNDS").map_or(1, |rounds| rounds.into_string().unwrap().parse().unwrap())
}

/// As many rounds as are asked for, a few at once: every second one kills late, by a share of the time there is for that.
async fn in_rounds<F: Future<Output = ()> + Send + 'static>(
    round: fn(Option<f64>) -> Round,
    (grace, rotation): (Grace, Rotation),
    check: fn(Restart, Kill) -> F,
) {
    let (rounds, room) = (rounds(), Arc::new(Semaphore::new(AT_ONCE)));
    let mut running: JoinSet<Ends> = (0..rounds)
        .map(|number| {
            let round = round((number % 2 == 1).then(|| f64::from(number) / f64::from(rounds)));
            let room = Arc::clone(&room);
            async move {
                let _room = room.acquire().await.unwrap();
                round.run(grace, rotation, check).await
            }
        })
        .collect();
    let mut all = Ends::new();
    while let Some(ends) = running.join_next().await {
        let ends = ends.unwrap();
        assert!(ends.values().sum::<usize>() >= 12, "{ends:?}");
        ends.into_iter().for_each(|(found, times)| *all.entry(found).or_default() += times);
    }
    println!("{} kills in {rounds} rounds left {all:?}", all.values().sum::<usize>());
}

/// Without a grace period: who finds the mark alone cannot go on, all others can.
async fn nothing_is_sent_twice(restart: &Restart, kill: Kill) {
    let expected = if restart.found == Found::Mark { Err("outcome_unknown") } else { Ok(()) };
    for _ in 0..2 {
        assert_eq!(restart.asks().await.map_err(|error| error.code()), expected, "{kill:?}");
    }
    assert_eq!(health(&restart.store).await.is_outcome_unknown(), expected.is_err(), "{kill:?}");
    assert!(restart.server.presented().len() <= 1, "{kill:?}: {:?}", restart.server.presented());
    assert!(restart.server.is_alive(), "{kill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_at_any_point_no_refresh_token_is_sent_twice_and_the_grant_lives() {
    in_rounds(Round::of_points, (Grace::No, Rotation::Strict), |restart, kill| async move {
        nothing_is_sent_twice(&restart, kill).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_at_any_point_nothing_is_lost_where_the_provider_has_a_grace_period() {
    let provider = (Grace::Yes, Rotation::Reuse(WINDOW));
    in_rounds(Round::of_points, provider, |restart, kill| async move {
        assert_eq!(restart.asks().await, Ok(()), "{kill:?}");
        let presented = restart.server.presented();
        assert!(presented.iter().all(|token| *token == 1) && presented.len() <= 2, "{kill:?}: {presented:?}");
        assert_eq!(health(&restart.store).await, Health::Ready, "{kill:?}");
        assert!(restart.store.open_spends().await.unwrap().is_empty(), "{kill:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_when_the_disk_has_failed_the_new_tokens_that_a_caller_had_are_used() {
    in_rounds(Round::of_refusals, (Grace::No, Rotation::Strict), |restart, kill| async move {
        let told = std::fs::read_to_string(restart.folder.path().join(TOLD)).ok();
        let (had_them, found) = (told.as_deref() == Some(""), restart.found);
        assert!(!had_them || [Found::Spilled, Found::NewTokens].contains(&found), "{kill:?}: {found:?}");
        nothing_is_sent_twice(&restart, kill).await;
        restart.refresher.recover().await;
        restart.refresher.settle().await;
        assert!(restart.store.spilled().is_empty(), "{kill:?}");
        if had_them {
            assert_eq!(stored(&restart.store).await["refresh_token"], "r2", "{kill:?}");
            assert!(restart.store.open_spends().await.unwrap().is_empty(), "{kill:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_ends_what_was_left_open_before_anybody_asks() {
    for (later, code) in [(WINDOW / 2, None), (WINDOW * 2, Some("outcome_unknown"))] {
        let kill = Kill::Answer(Point::Spent, Duration::ZERO);
        let restart = Restart::after(kill, Grace::Yes, Rotation::Reuse(WINDOW), later).await;
        assert_eq!(restart.found, Found::Mark);
        restart.refresher.recover().await;
        restart.refresher.settle().await;
        let disconnected = match health(&restart.store).await {
            Health::Ready => None,
            Health::Disconnected { code, .. } => Some(code),
        };
        assert_eq!(disconnected.as_deref(), code);
        assert_eq!(restart.server.presented().len(), if code.is_some() { 1 } else { 2 });
    }
}
