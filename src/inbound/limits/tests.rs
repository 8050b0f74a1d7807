use super::*;

#[test]
fn places_are_given_back_when_their_request_ends() {
    let shedding = Shedding::new(Overload { max_requests: 2, retry_after: Duration::from_secs(7) }, None);
    let limits = Limits::new(LimitsConfig::default());
    let enter = || limits.enter(&shedding, None, Instant::now());
    let (first, second) = (enter().unwrap(), enter().unwrap());
    let refused = enter().expect_err("the third finds no place");
    assert_eq!((refused.code(), refused.retry_after()), ("overloaded", Some(Duration::from_secs(7))));
    assert!(shedding.check().is_err());
    drop(first);
    assert!(shedding.check().is_ok());
    assert!(enter().is_ok());
    drop(second);
    assert_eq!(shedding.count.0.load(Ordering::Relaxed), 0);
}

#[test]
fn an_upstream_has_places_of_its_own_and_a_refusal_takes_none() {
    let shedding = Shedding::default();
    let one = || Limits::new(LimitsConfig { max_requests: Some(1), ..LimitsConfig::default() });
    let (busy, idle) = (one(), one());
    let taken = busy.enter(&shedding, None, Instant::now()).unwrap();
    assert_eq!(busy.enter(&shedding, None, Instant::now()).unwrap_err().code(), "overloaded");
    assert!(idle.enter(&shedding, None, Instant::now()).is_ok());
    drop(taken);
    assert_eq!((busy.count.0.load(Ordering::Relaxed), shedding.count.0.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn another_configuration_goes_on_with_the_counts() {
    let shedding = Shedding::default();
    let config = LimitsConfig { max_requests: Some(1), ..LimitsConfig::default() };
    let before = Limits::new(config.clone());
    let taken = before.enter(&shedding, None, Instant::now()).unwrap();
    let mut after = Limits::new(config);
    after.inherit(&before);
    let shedding = Shedding::new(Overload { max_requests: 1, ..Overload::default() }, Some(&shedding));
    assert!(shedding.check().is_err(), "what began before still counts");
    drop(taken);
    assert!(after.enter(&shedding, None, Instant::now()).is_ok());
}
