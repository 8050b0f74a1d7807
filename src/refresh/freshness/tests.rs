use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn credentials(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn every_form_of_expiry_is_read() {
    let in_an_hour = Some(NOW.plus(Duration::from_secs(3600)));
    for (name, value, expected) in [
        ("expires_in", Value::Number(3600.0), in_an_hour),
        ("expires_in", text("3600"), in_an_hour),
        ("expires_in", text("3600.0"), in_an_hour),
        ("expiresIn", Value::Number(3600.0), in_an_hour),
        ("expires_at", Value::Number(1_800_003_600.0), in_an_hour),
        ("expires_at", text("1800003600"), in_an_hour),
        ("expires_at", Value::Number(1_800_003_600_000.0), in_an_hour),
        ("expiresAt", text("2027-01-15T09:00:00Z"), in_an_hour),
        ("expiresAt", text("2027-01-15T09:00:00.000+00:00"), in_an_hour),
        ("expires_on", text("1800003600"), in_an_hour),
        ("expires_at", Value::Number(1.0), Some(Timestamp::from_secs(1))),
        ("expires_in", Value::Number(0.0), None),
        ("expires_in", Value::Number(-1.0), None),
        ("expires_in", Value::Number(1e20), None),
        ("expires_in", Value::Number(f64::NAN), None),
        ("expires_in", text("soon"), None),
        ("expires_in", Value::Null, None),
        ("expires_at", Value::Number(1e20), None),
        ("expires_at", text("tomorrow"), None),
        ("lifetime", Value::Number(3600.0), None),
    ] {
        assert_eq!(expiry(&credentials(name, value.clone()), NOW), expected, "{name} {value:?}");
    }
}

#[test]
fn of_a_kept_token_its_end_counts_before_its_life_and_of_a_reply_the_life() {
    let both: Value = [("expires_in", Value::Number(3600.0)), ("expires_at", Value::Number(1_700_000_000.0))]
        .into_iter()
        .collect();
    assert_eq!(expiry_of_kept(&both, NOW), Some(Timestamp::from_secs(1_700_000_000)));
    assert_eq!(expiry(&both, NOW), Some(NOW.plus(Duration::from_secs(3600))));
    let life = credentials("expires_in", Value::Number(3600.0));
    assert_eq!(expiry_of_kept(&life, NOW), expiry(&life, NOW));
}

#[test]
fn the_window_is_a_fifth_of_the_life_within_bounds() {
    let day = 24 * 3600;
    for (life, ahead, earliest, latest) in [
        (day, 300, 300, 225),
        (3600, 300, 300, 225),
        (600, 300, 120, 90),
        (60, 300, 12, 10),
        (20, 300, 10, 10),
        (4, 300, 2, 2),
        (day, 3600, 3600, 2700),
        (3600, 3600, 720, 540),
        (day, 0, 10, 10),
    ] {
        let seconds = Duration::from_secs;
        let end = NOW.plus(seconds(life));
        let before = |jitter| end.since(refresh_at(end, seconds(life), seconds(ahead), Jitter(jitter)));
        assert_eq!((before(0.0), before(1.0)), (seconds(earliest), seconds(latest)), "{life} {ahead}");
    }
}

#[test]
fn jitter_is_the_connections_own_and_spread_out() {
    let jitters: Vec<_> = (0..100).map(|n| Jitter::of(&ConnectionId::from(format!("c{n}")))).collect();
    assert_eq!(jitters[7], Jitter::of(&ConnectionId::from("c7")));
    assert!(jitters.iter().all(|jitter| (0.0..=1.0).contains(&jitter.0)));
    let late = jitters.iter().filter(|jitter| jitter.0 > 0.5).count();
    assert!((25..75).contains(&late), "{late} of 100 are late");
}

#[test]
fn a_token_goes_from_fresh_to_stale_to_ended() {
    let at = |seconds| NOW.plus(Duration::from_secs(seconds));
    let mut connection = crate::refresh::tests::connection("c", NOW);
    assert_eq!(Freshness::of(&connection, at(1 << 30)), Freshness::Fresh, "without an end");
    connection.expires_at = Some(at(100));
    assert_eq!(Freshness::of(&connection, at(99)), Freshness::Fresh, "without a time to refresh");
    connection.refresh_at = Some(at(80));
    let states = [79, 80, 99, 100].map(|seconds| Freshness::of(&connection, at(seconds)));
    assert_eq!(states, [Freshness::Fresh, Freshness::Stale, Freshness::Stale, Freshness::Ended]);
}
