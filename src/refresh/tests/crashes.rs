//! kill -9 at every point of an exchange: each change that the store makes to its file, and each step of the token endpoint's
//! answer. A process of its own exchanges and is killed; then this one opens the same file, as a restart does.
//! `ROUNDS=200 cargo test --lib kill_9 -- --nocapture` is the long run: every second round kills up to 2 ms behind a step.

use std::collections::BTreeMap;
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
use crate::store::faulty_disk::Disk;
use crate::store::testing::Folder;
use crate::store::{Connection, Health, Store};
use crate::telemetry::{AccessLog, Telemetry};

/// For the process that is killed: the store's file, the token endpoint, and the change of the file to be killed at.
const ORDERS: &str = "SIDEGATE_TEST_EXCHANGE";
const WINDOW: Duration = Duration::from_secs(60);
/// The most rounds that run at once.
const AT_ONCE: usize = 4;
/// How far behind a step of the token endpoint a process is killed.
const FAR_BEHIND: Duration = Duration::from_millis(2);

/// Where the process is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// At the n-th change of the store's file.
    Change(u64),
    /// This long after a step of the token endpoint.
    Answer(Point, Duration),
}

/// What the restart finds in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Nothing,
    Mark,
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
    let [folder, url, change] = serde_json::from_str::<[String; 3]>(&orders).unwrap();
    let folder = Folder::at(folder.into());
    runtime().block_on(async {
        let clock = Arc::new(ManualClock::at(NOW));
        let disk = Disk::under(&folder.file());
        let store = folder.store(clock.clone());
        let refresher = opened_with(&url, Rotation::Strict, &store, &clock);
        let seen = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
        // The end of the input says that whoever kills is ready.
        std::io::read_to_string(std::io::stdin()).unwrap();
        disk.kill_at(change.parse().unwrap());
        refresher.fresh(seen).await.unwrap();
    });
    // A killed process leaves its folder.
    std::mem::forget(folder);
}

fn exchange(folder: &Folder, server: &RotatingServer, kill: Kill) -> Child {
    let change = if let Kill::Change(change) = kill { change } else { 0 };
    let orders = json!([folder.path(), server.url(), change.to_string()]).to_string();
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
    _folder: Folder,
}

impl Restart {
    /// Kills a process there, and starts again after it, this much later.
    async fn after(kill: Kill, grace: Grace, rotation: Rotation, later: Duration) -> Self {
        let (server, folder) = (RotatingServer::start(grace), Folder::new());
        prepare(&folder).await;
        let mut child = exchange(&folder, &server, kill);
        if let Kill::Answer(point, later) = kill {
            server.kill_at(point, later, &child);
        }
        drop(child.stdin.take());
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        let clock = Arc::new(ManualClock::at(NOW.plus(later)));
        let store = folder.store(clock.clone());
        let refresher = opened_with(&server.url(), rotation, &store, &clock);
        let found = if stored(&store).await["refresh_token"] == "r2" {
            Found::NewTokens
        } else if store.open_spends().await.unwrap().is_empty() {
            Found::Nothing
        } else {
            Found::Mark
        };
        Self { server, store, refresher, found, killed: !ended.success(), _folder: folder }
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

/// How often each point is gone through.
fn rounds() -> u32 {
    std::env::var_os("ROUNDS").map_or(1, |rounds| rounds.into_string().unwrap().parse().unwrap())
}

/// How the processes ended that were killed, by the number of times.
type Ends = BTreeMap<Found, usize>;

/// All points, one after the other, with what `check` says of the restart after each.
async fn at_every_point<F: Future<Output = ()>>(
    grace: Grace,
    rotation: Rotation,
    behind: Duration,
    check: fn(Restart, Kill) -> F,
) -> Ends {
    let mut ends = Ends::new();
    let answers = Point::ALL.map(|point| Kill::Answer(point, behind));
    for kill in answers.into_iter().chain((1..).map(Kill::Change)) {
        let restart = Restart::after(kill, grace, rotation, Duration::from_secs(1)).await;
        match kill {
            Kill::Change(_) if !restart.killed => break,
            // One that is killed late may be through.
            Kill::Answer(..) => assert!(restart.killed || !behind.is_zero(), "not killed at {kill:?}"),
            Kill::Change(_) => {}
        }
        *ends.entry(restart.found).or_default() += 1;
        check(restart, kill).await;
    }
    for each in [Found::Nothing, Found::Mark, Found::NewTokens] {
        assert!(ends.contains_key(&each), "{each:?} was never found: {ends:?}");
    }
    ends
}

/// As many rounds as are asked for, a few at once: every second one is killed behind the steps of the token endpoint.
async fn in_rounds<F: Future<Output = ()> + Send + 'static>(
    grace: Grace,
    rotation: Rotation,
    check: fn(Restart, Kill) -> F,
) {
    let (rounds, room) = (rounds(), Arc::new(Semaphore::new(AT_ONCE)));
    let mut running: JoinSet<Ends> = (0..rounds)
        .map(|round| {
            let behind = if round % 2 == 0 { Duration::ZERO } else { FAR_BEHIND * round / rounds };
            let room = Arc::clone(&room);
            async move {
                let _room = room.acquire().await.unwrap();
                at_every_point(grace, rotation, behind, check).await
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

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_at_any_point_no_refresh_token_is_sent_twice_and_the_grant_lives() {
    in_rounds(Grace::No, Rotation::Strict, |restart, kill| async move {
        let outcome = restart.asks().await.map_err(|error| error.code());
        let expected = if restart.found == Found::Mark { Err("outcome_unknown") } else { Ok(()) };
        assert_eq!(outcome, expected, "{kill:?}");
        assert_eq!(restart.asks().await.map_err(|error| error.code()), expected, "{kill:?}");
        assert_eq!(health(&restart.store).await.is_outcome_unknown(), expected.is_err(), "{kill:?}");
        assert!(restart.server.presented().len() <= 1, "{kill:?}: {:?}", restart.server.presented());
        assert!(restart.server.is_alive(), "{kill:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_at_any_point_nothing_is_lost_where_the_provider_has_a_grace_period() {
    in_rounds(Grace::Yes, Rotation::Reuse(WINDOW), |restart, kill| async move {
        assert_eq!(restart.asks().await, Ok(()), "{kill:?}");
        let presented = restart.server.presented();
        assert!(presented.iter().all(|token| *token == 1) && presented.len() <= 2, "{kill:?}: {presented:?}");
        assert_eq!(health(&restart.store).await, Health::Ready, "{kill:?}");
        assert!(restart.store.open_spends().await.unwrap().is_empty(), "{kill:?}");
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
