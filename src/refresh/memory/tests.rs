use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn down() -> RefreshError {
    RefreshError::ProviderDown { reason: "x".into() }
}

/// How many exchanges a busy connection makes if all fail so.
fn exchanges(error: &RefreshError, outage: Duration) -> u32 {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    let mut exchanges = 0;
    for second in 0..outage.as_secs() {
        let now = NOW.plus(Duration::from_secs(second));
        if memory.paused(&id, Version::FIRST, now).is_none() {
            exchanges += 1;
            memory.failed(&id, Version::FIRST, now, error);
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
    let made = exchanges(&RefreshError::MisconfiguredApp { reason: "x".into() }, Duration::from_secs(1800));
    assert!(made <= 12, "{made}");
}

#[test]
fn a_pause_ends_by_itself_and_is_at_least_a_second() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    memory.failed(&id, Version::FIRST, NOW, &down());
    let after = |millis| memory.paused(&id, Version::FIRST, NOW.plus(Duration::from_millis(millis)));
    assert_eq!(after(999), Some(down()));
    assert_eq!(after(1501), None);
}

#[test]
fn new_credentials_a_success_and_a_clock_turned_back_end_a_pause() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    memory.failed(&id, Version::FIRST, NOW, &down());
    assert_eq!(memory.paused(&id, Version::FIRST.next(), NOW), None);
    assert_eq!(memory.paused(&id, Version::FIRST, NOW.minus(Duration::from_secs(3600))), None);
    assert_eq!(memory.paused(&id, Version::FIRST, NOW), Some(down()));
    memory.succeeded(&id);
    assert_eq!(memory.paused(&id, Version::FIRST, NOW), None);
}

#[test]
fn a_provider_that_names_a_time_is_left_alone_until_then() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    let until = NOW.plus(Duration::from_secs(120));
    memory.failed(&id, Version::FIRST, NOW, &RefreshError::ThrottledUntil(until));
    assert!(memory.paused(&id, Version::FIRST, until.minus(Duration::from_millis(1))).is_some());
    assert!(memory.paused(&id, Version::FIRST, until).is_none());
}

#[test]
fn a_store_that_is_down_does_not_pause_the_provider() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    memory.failed(&id, Version::FIRST, NOW, &RefreshError::StoreDown { reason: "x".into() });
    assert!(memory.paused(&id, Version::FIRST, NOW).is_none());
}

#[test]
fn a_refused_new_token_is_remembered_for_a_minute() {
    let (memory, id) = (Memory::new(), ConnectionId::from("c"));
    memory.refused(&id, Version(2), NOW);
    assert!(memory.just_refused(&id, Version(2), NOW.plus(Duration::from_secs(59))));
    assert!(!memory.just_refused(&id, Version(3), NOW));
    assert!(
        !memory.just_refused(&id, Version(2), NOW.minus(Duration::from_secs(1))),
        "the clock was turned back"
    );
    assert!(!memory.just_refused(&id, Version(2), NOW.plus(Duration::from_secs(60))));
}
