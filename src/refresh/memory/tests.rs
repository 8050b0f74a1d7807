use super::*;
use crate::refresh::tests::{connection, integration};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A memory, and a connection that fails.
struct Scene {
    memory: Memory,
    connection: Connection,
    integration: Arc<Integration>,
}

impl Scene {
    fn new() -> Self {
        Self { memory: Memory::new(), connection: connection("c", NOW), integration: integration() }
    }

    fn paused(&self, now: Timestamp) -> Option<RefreshError> {
        self.memory.paused(&self.connection, &self.integration, now).map(|pause| pause.error)
    }

    fn failed(&self, now: Timestamp, error: &RefreshError) -> Option<RefreshFailure> {
        let note = self.memory.note(&self.connection, now, error)?;
        self.memory.pause(&self.connection.id, &self.integration, &note, None);
        Some(note)
    }

    /// The same row after a restart: memory and configuration are new.
    fn restarted(mut self, note: RefreshFailure) -> Self {
        self.connection.refreshing.failed(note);
        Self { memory: Memory::new(), integration: integration(), ..self }
    }
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn misconfigured() -> RefreshError {
    RefreshError::MisconfiguredApp { reason: "x".into() }
}

fn down() -> RefreshError {
    RefreshError::ProviderDown { reason: "x".into(), status: None }
}

/// How many exchanges a busy connection makes if all fail so.
fn exchanges(error: &RefreshError, outage: Duration) -> u32 {
    let scene = Scene::new();
    let mut exchanges = 0;
    for second in 0..outage.as_secs() {
        let now = NOW.plus(Duration::from_secs(second));
        if scene.paused(now).is_none() {
            exchanges += 1;
            scene.failed(now, error);
        }
    }
    exchanges
}

#[test]
fn half_an_hour_of_outage_costs_at_most_forty_exchanges() {
    let made = exchanges(&down(), Duration::from_secs(1800));
    assert!((20..=40).contains(&made), "{made}");
}

#[test]
fn a_provider_that_asks_for_no_pause_gets_one_all_the_same() {
    let made = exchanges(&RefreshError::ThrottledUntil(NOW), Duration::from_secs(1800));
    assert!((20..=40).contains(&made), "{made}");
}

#[test]
fn a_misconfigured_app_is_asked_ever_more_seldom() {
    let made = exchanges(&misconfigured(), Duration::from_secs(1800));
    assert!(made <= 12, "{made}");
}

#[test]
fn a_pause_ends_by_itself_and_is_at_least_a_second() {
    let scene = Scene::new();
    scene.failed(NOW, &down());
    let after = |millis| scene.paused(NOW.plus(Duration::from_millis(millis)));
    assert_eq!(after(999), Some(down()));
    assert_eq!(after(1501), None);
}

#[test]
fn new_credentials_a_success_and_a_clock_turned_back_end_a_pause() {
    let mut scene = Scene::new();
    scene.failed(NOW, &down());
    assert_eq!(scene.paused(NOW.minus(Duration::from_secs(3600))), None);
    assert_eq!(scene.paused(NOW), Some(down()));
    scene.connection.version = Version(2);
    assert_eq!(scene.paused(NOW), None);
    scene.connection.version = Version::FIRST;
    scene.memory.succeeded(&scene.connection.id);
    assert_eq!(scene.paused(NOW), None);
}

#[test]
fn a_provider_that_names_a_time_is_left_alone_until_then() {
    let scene = Scene::new();
    let until = after(120);
    scene.failed(NOW, &RefreshError::ThrottledUntil(until));
    assert!(scene.paused(until.minus(Duration::from_millis(1))).is_some());
    assert!(scene.paused(until).is_none());
}

#[test]
fn a_store_that_is_down_does_not_pause_the_provider() {
    let scene = Scene::new();
    assert_eq!(scene.failed(NOW, &RefreshError::StoreDown { reason: "x".into() }), None);
    assert_eq!(scene.paused(NOW), None);
}

#[test]
fn a_restart_goes_on_with_the_pause_and_the_count() {
    let scene = Scene::new();
    scene.failed(NOW, &down());
    let note = scene.failed(after(2), &down()).unwrap();
    assert_eq!((note.in_a_row, note.since, note.at), (2, NOW, after(2)));
    let end = note.next_try.unwrap();
    let scene = scene.restarted(note);
    assert_eq!(scene.paused(after(3)), Some(down()));
    assert_eq!(scene.paused(end), None);
    let third = scene.failed(end, &down()).unwrap();
    assert_eq!((third.in_a_row, third.since), (3, NOW));
}

#[test]
fn a_row_says_nothing_of_credentials_that_came_after_it() {
    let scene = Scene::new();
    let note = scene.failed(NOW, &down()).unwrap();
    let mut scene = scene.restarted(note);
    scene.connection.version = Version(2);
    assert_eq!(scene.paused(NOW), None);
    assert_eq!(scene.failed(NOW, &down()).unwrap().in_a_row, 1);
}

#[test]
fn another_configuration_ends_the_pause_of_a_misconfigured_app_but_not_that_of_an_outage() {
    for (error, holds) in [(misconfigured(), false), (down(), true)] {
        let mut scene = Scene::new();
        let note = scene.failed(NOW, &error).unwrap();
        assert_eq!(scene.paused(NOW), Some(error));
        scene.integration = integration();
        assert_eq!(scene.paused(NOW).is_some(), holds, "after a reload");
        assert_eq!(scene.restarted(note).paused(NOW).is_some(), holds, "after a restart");
    }
}

#[test]
fn a_dead_grant_is_not_tried_again() {
    let scene = Scene::new();
    let note = scene.failed(NOW, &RefreshError::NeedsReconnect { reason: "x".into() }).unwrap();
    assert_eq!((note.class, note.next_try), (FailureClass::DeadGrant, None));
}

#[test]
fn credentials_that_came_of_a_refusal_are_suspect_for_a_minute_unless_they_are_taken() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    let suspect = |version, now| memory.just_forced(&id, Version(version), now);
    memory.tried(&id, Trial::Refused);
    assert!(!suspect(2, NOW), "nobody has forced anything");
    memory.forced(&id, Version(1), NOW);
    assert!(suspect(2, NOW) && suspect(3, after(59)));
    assert!(!suspect(1, NOW), "what was refused first is not the current one any more");
    assert!(!suspect(2, after(60)));
    assert!(!suspect(2, NOW.minus(Duration::from_secs(1))), "the clock was turned back");
    memory.tried(&id, Trial::Taken);
    assert!(!suspect(2, NOW));
    memory.tried(&id, Trial::Refused);
    memory.tried(&id, Trial::Taken);
    assert!(suspect(2, NOW), "that it was refused counts for more");
}

#[test]
fn credentials_that_nobody_could_try_are_refreshed_once_more_within_a_minute() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    let force = |refused, now| {
        memory.forced(&id, Version(refused), now);
        memory.tried(&id, Trial::Untried);
        memory.just_forced(&id, Version(refused + 1), now)
    };
    assert!(!force(1, NOW), "it may have been good until it was revoked");
    assert!(force(2, after(1)), "the second in a row that nobody knows to be good");
    assert!(!force(3, after(61)), "a minute later");
    memory.tried(&id, Trial::Refused);
    assert!(memory.just_forced(&id, Version(4), after(61)), "another caller tried it");
}
