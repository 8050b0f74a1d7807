use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TERM: Duration = Duration::from_secs(120);

fn id() -> ConnectionId {
    "c1".into()
}

fn title(owner: &str, fence: u64) -> Title {
    Title { owner: owner.into(), fence }
}

fn token(text: &str) -> TokenDigest {
    TokenDigest::of(&id(), text)
}

fn leased() -> (Row, Lease) {
    let mut row = Row::default();
    let lease = row.lease(id(), Some(token("r1")), title("a", 1), (NOW, TERM));
    (row, lease)
}

#[test]
fn a_lease_is_held_until_it_ends_and_longer_if_it_is_renewed() {
    let (mut row, _) = leased();
    let ask = |row: &Row, now| row.refusal(Some(&token("r2")), |_| false, now);
    let end = NOW.plus(TERM);
    assert!(
        matches!(ask(&row, end.minus(Duration::from_millis(1))), Some(Leasing::Held(until)) if until == end)
    );
    assert!(ask(&row, end).is_none());
    row.renew(end.plus(TERM));
    assert!(matches!(ask(&row, end), Some(Leasing::Held(_))));
}

#[test]
fn a_spend_is_about_one_token_of_one_connection() {
    let (mut row, _) = leased();
    row.release();
    let spent = |token: &TokenDigest| row.refusal(Some(token), |_| false, NOW).is_some();
    assert!(spent(&token("r1")));
    assert!(!spent(&token("r2")));
    assert!(!spent(&TokenDigest::of(&"c2".into(), "r1")));
    assert!(row.refusal(None, |_| false, NOW).is_none());
    assert!(!format!("{row:?}").contains(&token("r1").0));
}

#[test]
fn a_spend_that_is_repeated_keeps_its_first_time_and_counts() {
    let (mut row, _) = leased();
    row.release();
    let later = NOW.plus(TERM);
    let again = row.lease(id(), Some(token("r1")), title("b", 2), (later, TERM));
    let spend = row.spend_of(Some(&token("r1"))).unwrap();
    assert_eq!((spend.at, spend.times, spend.fence), (NOW, 2, 2));
    row.release();
    row.take_back(&again);
    let spend = row.spend_of(Some(&token("r1"))).unwrap();
    assert_eq!((spend.at, spend.times, spend.fence), (NOW, 1, 1));
}

#[test]
fn a_lease_is_known_by_its_owner_and_its_fence() {
    let (mut row, lease) = leased();
    assert!(row.is_under(&lease));
    for (owner, fence) in [("a", 2), ("b", 1)] {
        row.lease(id(), None, title(owner, fence), (NOW, TERM));
        assert!(!row.is_under(&lease), "{owner} {fence}");
    }
    row.release();
    assert!(!row.is_under(&lease));
}

#[test]
fn nothing_is_kept_when_nothing_is_open() {
    let (mut row, lease) = leased();
    row.release();
    assert!(!row.is_blank());
    row.take_back(&lease);
    assert!(row.is_blank());
}
