use std::time::Duration;

use super::*;
use crate::oauth::{Client, ClientAuthentication, Encoding};
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn app(whose: &str, secret: &str) -> AppFingerprint {
    let secret = Secret::new(secret.to_owned());
    let authentication = ClientAuthentication::Body;
    let client = Client { secret: Some(&secret), authentication, ..Client::public("client") };
    AppFingerprint::of(whose, "https://auth.example.com/token", &client, Encoding::Form, &[])
}

fn refused() -> RefreshError {
    RefreshError::MisconfiguredApp { reason: "invalid_client".into() }
}

#[test]
fn an_app_that_was_refused_is_asked_for_once_after_each_pause() {
    let (apps, app) = (Apps::new(), app("crm", "s"));
    assert_eq!(apps.admit(&app, NOW), Ok(()));
    let mut exchanges = 0;
    for second in 0..1800 {
        let admitted = (0..10).filter(|_| apps.admit(&app, after(second)).is_ok()).count();
        assert!(admitted <= if second == 0 { 10 } else { 1 });
        exchanges += admitted;
        for _ in 0..admitted {
            apps.refused(&app, after(second), &refused());
        }
    }
    assert!((18..=22).contains(&exchanges), "{exchanges}: ten at first, then after 1, 2, 4 … seconds");
}

#[test]
fn who_asks_for_all_and_gets_no_answer_asks_again_later() {
    let (apps, app) = (Apps::new(), app("crm", "s"));
    apps.refused(&app, NOW, &refused());
    assert_eq!(apps.admit(&app, after(1)), Ok(()));
    assert_eq!(apps.admit(&app, after(1)), Err(refused()));
    assert_eq!(apps.admit(&app, after(2)), Ok(()));
}

#[test]
fn an_app_that_works_again_works_for_all() {
    let (apps, app) = (Apps::new(), app("crm", "s"));
    apps.refused(&app, NOW, &refused());
    assert_eq!(apps.admit(&app, NOW), Err(refused()));
    apps.works(&app);
    assert_eq!(apps.admit(&app, NOW), Ok(()));
}

#[test]
fn another_secret_another_integration_and_a_clock_turned_back_are_not_paused() {
    let apps = Apps::new();
    apps.refused(&app("crm", "s"), NOW, &refused());
    assert_eq!(apps.admit(&app("crm", "t"), NOW), Ok(()));
    assert_eq!(apps.admit(&app("erp", "s"), NOW), Ok(()));
    assert_eq!(apps.admit(&app("crm", "s"), NOW), Err(refused()));
    assert_eq!(apps.admit(&app("crm", "s"), NOW.minus(Duration::from_secs(1))), Ok(()));
}
