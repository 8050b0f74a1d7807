use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn credentials(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn undated(reply: &Value) -> Option<Timestamp> {
    expiry(reply, Arrival::undated(NOW))
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
        assert_eq!(undated(&credentials(name, value.clone())), expected, "{name} {value:?}");
    }
}

#[test]
fn of_a_kept_token_its_end_counts_before_its_life_and_of_a_reply_the_life() {
    let both: Value = [("expires_in", Value::Number(3600.0)), ("expires_at", Value::Number(1_700_000_000.0))]
        .into_iter()
        .collect();
    assert_eq!(expiry_of_kept(&both, NOW), Some(Timestamp::from_secs(1_700_000_000)));
    assert_eq!(undated(&both), Some(NOW.plus(Duration::from_secs(3600))));
    let life = credentials("expires_in", Value::Number(3600.0));
    assert_eq!(expiry_of_kept(&life, NOW), undated(&life));
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

/// Seconds from a moment, backwards where they are below zero.
fn from(moment: Timestamp, seconds: i64) -> Timestamp {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { moment.minus(by) } else { moment.plus(by) }
}

#[test]
fn g4_a_point_in_time_is_of_the_clock_that_the_reply_has_its_date_from() {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    for (why, ahead, ends, expected) in [
        ("they agree, and the date has whole seconds", 1, HOUR, HOUR),
        ("they agree, and the reply was long on its way", -29, HOUR, HOUR),
        ("ours is behind", HOUR, 2 * HOUR, HOUR),
        ("ours is ahead: as it is, it would have ended", -HOUR, 0, HOUR),
        ("ours is ahead by far more than the token lives", -13 * HOUR, -12 * HOUR, HOUR),
        ("ours is a little ahead", -600, HOUR - 600, HOUR),
        ("the date is a day ahead, and the end is right", DAY, HOUR, HOUR),
        ("the date is a day behind, and the end is right", -DAY, HOUR, HOUR),
        ("the date leaves it no life, and so is wrong", 2 * HOUR, HOUR, HOUR),
        ("it ended by both clocks", HOUR, -60, -60),
    ] {
        let arrival = Arrival { at: NOW, date: Some(from(NOW, ahead)) };
        let end = Value::Number(from(NOW, ends).as_secs_f64());
        let expected = from(NOW, expected);
        assert_eq!(expiry(&credentials("expires_at", end), arrival), Some(expected), "{why}");
        let life = credentials("expires_in", Value::Number(60.0));
        assert_eq!(expiry(&life, arrival), Some(from(NOW, 60)), "a life has no clock: {why}");
    }
}

fn jwt(claims: &serde_json::Value) -> Value {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
    Value::String(format!("e30.{claims}.sig"))
}

#[test]
fn g4_a_jwt_that_ends_before_its_reply_says_so_is_believed_and_one_that_ends_later_is_not() {
    let now = NOW.as_secs();
    for (claims, expected) in [
        (serde_json::json!({"iat": now, "exp": now + 600}), 600),
        // Its issuer's clock is a day behind ours.
        (serde_json::json!({"iat": now - 86_400, "exp": now - 86_400 + 600}), 600),
        (serde_json::json!({"iat": now, "exp": now + 3595}), 3600),
        (serde_json::json!({"iat": now, "exp": now + 7200}), 3600),
        // Without its beginning there is only our clock to go by.
        (serde_json::json!({"exp": now + 600}), 3600),
        (serde_json::json!({"iat": now, "exp": now}), 3600),
        (serde_json::json!({"iat": now, "exp": "soon"}), 3600),
    ] {
        for (name, said) in [("expires_in", 3600.0), ("expires_at", now as f64 + 3600.0)] {
            let reply: Value =
                [("access_token", jwt(&claims)), (name, Value::Number(said))].into_iter().collect();
            assert_eq!(undated(&reply), Some(from(NOW, expected)), "{name} {claims}");
        }
    }
}

#[test]
fn g4_the_end_of_a_jwt_without_a_beginning_is_of_the_clock_that_the_reply_has_its_date_from() {
    let reply = credentials("access_token", jwt(&serde_json::json!({"exp": NOW.as_secs() + 600})));
    assert_eq!(undated(&reply), Some(from(NOW, 600)));
    let ours_is_ahead = Arrival { at: NOW.plus(Duration::from_secs(3600)), date: Some(NOW) };
    assert_eq!(expiry(&reply, ours_is_ahead), Some(from(NOW, 4200)));
}
