use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn endpoint() -> Endpoint {
    Endpoint { uri: "https://auth.example.com/token".into(), egress: Egress::default() }
}

#[test]
fn one_that_was_never_down_is_not_asked_and_not_back() {
    let endpoints = Endpoints::new();
    endpoints.works(&endpoint(), NOW);
    assert!(!endpoints.may_ask(&endpoint(), after(100)));
    assert!(!endpoints.is_back(&endpoint(), NOW));
}

#[test]
fn one_caller_asks_every_four_seconds() {
    let endpoints = Endpoints::new();
    endpoints.failed(&endpoint(), NOW, NOW);
    for second in 0..=12 {
        let asked = (0..10).filter(|_| endpoints.may_ask(&endpoint(), after(second))).count();
        assert_eq!(asked, usize::from(matches!(second, 4 | 8 | 12)), "second {second}");
        if asked == 1 {
            endpoints.asked(&endpoint(), false, after(second));
        }
    }
}

#[test]
fn it_is_back_once_it_answers_after_it_did_not() {
    let endpoints = Endpoints::new();
    endpoints.failed(&endpoint(), NOW, NOW);
    endpoints.asked(&endpoint(), false, after(4));
    assert!(!endpoints.is_back(&endpoint(), NOW));
    endpoints.asked(&endpoint(), true, after(8));
    assert!(endpoints.is_back(&endpoint(), NOW), "for who failed before");
    assert!(!endpoints.is_back(&endpoint(), after(9)), "for who failed after");
}

#[test]
fn one_that_answers_while_exchanges_fail_tells_nothing_and_is_not_asked() {
    let endpoints = Endpoints::new();
    endpoints.failed(&endpoint(), NOW, NOW);
    endpoints.asked(&endpoint(), true, after(4));
    assert!(!endpoints.is_back(&endpoint(), NOW));
    assert!(!endpoints.may_ask(&endpoint(), after(100)));
    endpoints.works(&endpoint(), after(101));
    endpoints.failed(&endpoint(), after(102), after(102));
    assert!(endpoints.may_ask(&endpoint(), after(106)), "another outage is another matter");
}

#[test]
fn one_that_seemed_back_and_was_not_is_not_believed_again_in_this_outage() {
    let endpoints = Endpoints::new();
    endpoints.failed(&endpoint(), NOW, NOW);
    endpoints.asked(&endpoint(), false, after(4));
    endpoints.asked(&endpoint(), true, after(8));
    endpoints.failed(&endpoint(), after(3), after(9));
    assert!(endpoints.may_ask(&endpoint(), after(9)), "that exchange had begun before it was back");
    endpoints.failed(&endpoint(), after(8), after(10));
    assert!(!endpoints.may_ask(&endpoint(), after(100)));
}

#[test]
fn an_exchange_that_is_answered_brings_it_back_for_all() {
    let endpoints = Endpoints::new();
    endpoints.failed(&endpoint(), NOW, NOW);
    endpoints.works(&endpoint(), after(1));
    assert!(endpoints.is_back(&endpoint(), NOW));
}
