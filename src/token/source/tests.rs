//! Key sets over a real connection, served by hand: what is well behaved first, then everything that is not.
//! (K1 to K7 of the checklist.)

mod hostile;
mod revoked;
mod rotation;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::{ManualClock, Timestamp};
use crate::http::egress::Egress;
use crate::oauth::hostile_server::{Answer, HostileServer, reply};
use crate::token::keys::{Algorithm, Config, Jwks, JwksSource, WorkspaceConfig};
use crate::token::mint::mint;
use crate::token::testing::{
    NOW, P256, anna_by as token, customer_by as token_of, entry, object, set, signing_key,
};
use crate::token::{KeyStatus, Policy, TokenError, Verified, Verifier};

pub(super) const LOOPBACK: Egress = Egress { allow_private: true, allow_plain: true };
const COOLDOWN: Duration = Duration::from_secs(30);

pub(super) fn served(text: &str) -> Answer {
    reply("200 OK", "application/json", text)
}

/// A workspace whose keys are at a URL, and the server there.
pub(super) struct Scene {
    pub(super) server: HostileServer,
    pub(super) verifier: Arc<Verifier>,
    pub(super) clock: Arc<ManualClock>,
    stop: DropGuard,
}

impl Scene {
    /// Started, and the first reading is over.
    pub(super) async fn with(answer: Answer) -> Self {
        let scene = Self::before(answer, |_| {}).await;
        scene.start().await;
        scene
    }

    /// Not started yet.
    pub(super) async fn before(answer: Answer, change: impl FnOnce(&mut WorkspaceConfig)) -> Self {
        crate::http::tls::install_crypto();
        let server = HostileServer::start(answer).await;
        let mut workspace = at(&server.url());
        change(&mut workspace);
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let config = Config { workspaces: vec![workspace], cache_entries: 1000, ..Config::default() };
        let (verifier, _) = Verifier::new(config, clock.clone()).unwrap();
        Self { server, verifier: verifier.into(), clock, stop: CancellationToken::new().drop_guard() }
    }

    pub(super) async fn start(&self) {
        let reading = self.verifier.workspaces["acme"].wanted.next();
        self.verifier.start(&tokio::runtime::Handle::current(), self.stop.token()).unwrap();
        reading.end().await;
    }

    /// Has the set read again now, and waits for that.
    pub(super) async fn read_again(&self) {
        let reading = self.verifier.workspaces["acme"].wanted.next();
        self.verifier.workspaces["acme"].wanted.wake();
        reading.end().await;
    }

    /// The same with another answer.
    pub(super) async fn read(&self, answer: Answer) {
        self.server.answer(answer);
        self.read_again().await;
    }

    pub(super) fn verify(&self, token: &str) -> Result<(), TokenError> {
        self.verifier.verify(token, &Policy::default()).map(|_: Verified| ())
    }

    pub(super) async fn verify_or_fetch(&self, token: &str) -> Result<(), TokenError> {
        self.verifier.verify_or_fetch(token, &Policy::default()).await.map(|_: Verified| ())
    }

    pub(super) fn status(&self) -> KeyStatus {
        self.verifier.key_status().remove(0)
    }
}

/// The workspace `acme` with its keys at `url`.
pub(super) fn at(url: &str) -> WorkspaceConfig {
    let source = JwksSource::Url { url: url.parse().unwrap(), egress: LOOPBACK };
    let jwks = Jwks { cooldown: COOLDOWN, ..Jwks::new(source) };
    WorkspaceConfig { jwks: Some(jwks), ..WorkspaceConfig::named("acme") }
}

#[tokio::test]
async fn a_set_is_fetched_in_the_background_and_its_keys_verify() {
    let scene = Scene::before(served(&set(&["a"])), |_| {}).await;
    assert_eq!(scene.verify(&token("a")), Err(TokenError::KeysUnavailable), "not yet");
    assert!(!scene.status().is_ready());
    scene.start().await;
    assert_eq!(scene.verify(&token("a")), Ok(()));
    let status = scene.status();
    assert!(status.is_ready() && status.loaded && status.keys.len() == 1, "{status:?}");
    assert_eq!(status.last_success, Some(Timestamp::from_secs(NOW)));
    let asked = scene.server.last();
    assert!(asked.head.starts_with("GET /token HTTP/1.1\r\n"), "{}", asked.head);
    assert_eq!(asked.header("authorization"), None);
}

#[tokio::test]
async fn what_a_set_could_never_verify_is_refused_without_it() {
    let scene = Scene::before(served(&set(&["a"])), |workspace| {
        workspace.secret = Some(crate::token::testing::SECRET.to_owned().into());
    })
    .await;
    let forged = crate::token::testing::raw_token_by(b"another", r#"{"alg":"HS256"}"#, r#"{"iss":"acme"}"#);
    assert_eq!(scene.verify(&forged), Err(TokenError::BadSignature));
    let signed = crate::token::testing::raw_token(r#"{"alg":"HS256"}"#, r#"{"iss":"acme"}"#);
    assert_eq!(scene.verify(&signed), Ok(()));
}

#[tokio::test]
async fn whoever_comes_before_the_first_set_waits_for_it() {
    let permitted = Arc::new(tokio::sync::Semaphore::new(0));
    let answer = crate::oauth::hostile_server::when(&permitted, served(&set(&["a"])));
    let scene = Scene::before(answer, |_| {}).await;
    scene.verifier.start(&tokio::runtime::Handle::current(), scene.stop.token()).unwrap();
    scene.server.came(1).await;
    let token = token("a");
    let (outcome, ()) = tokio::join!(scene.verify_or_fetch(&token), async { permitted.add_permits(1) });
    assert_eq!(outcome, Ok(()));
}

#[tokio::test]
async fn an_unchanged_set_is_asked_for_by_its_tag_and_not_sent_again() {
    let text = set(&["a"]);
    let length = text.len();
    let tagged = format!("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: {length}\r\n\r\n{text}");
    let scene = Scene::with(Answer::Bytes(tagged.into_bytes())).await;
    assert_eq!(scene.server.last().header("if-none-match"), None);
    let before = scene.status();
    scene.clock.advance(Duration::from_secs(60));
    scene.read(Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec())).await;
    assert_eq!(scene.server.last().header("if-none-match"), Some("\"v1\""));
    let after = scene.status();
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.last_success, Some(Timestamp::from_secs(NOW + 60)));
    assert_eq!(scene.verify(&token("a")), Ok(()));
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_no_set() {
    let scene = Scene::with(Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec())).await;
    assert!(!scene.status().loaded);
    assert_eq!(scene.verify(&token("a")), Err(TokenError::KeysUnavailable));
}

#[tokio::test]
async fn a_workspace_that_stays_as_it_is_keeps_its_set_and_tokens_over_a_change_of_the_configuration() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    assert_eq!(scene.verify(&token("a")), Ok(()));
    let url = scene.server.url();
    let config = |workspaces| Config { workspaces, cache_entries: 1000, ..Config::default() };

    let (same, _) = scene.verifier.succeeded_by(config(vec![at(&url)])).unwrap();
    assert!(Arc::ptr_eq(&same, &scene.verifier), "its remembered tokens stay too");

    let beside = WorkspaceConfig { secret: Some("x".repeat(64).into()), ..WorkspaceConfig::named("other") };
    let (wider, _) = scene.verifier.succeeded_by(config(vec![at(&url), beside])).unwrap();
    assert!(wider.verify(&token("a"), &Policy::default()).is_ok());

    let narrower = WorkspaceConfig { audiences: vec!["api".into()], ..at(&url) };
    let (changed, _) = scene.verifier.succeeded_by(config(vec![narrower])).unwrap();
    assert_eq!(changed.verify(&token("a"), &Policy::default()).unwrap_err(), TokenError::Audience);
    assert!(changed.key_status()[0].loaded, "the set was inherited");

    let elsewhere = at("http://127.0.0.1:1/jwks");
    let (moved, _) = scene.verifier.succeeded_by(config(vec![elsewhere])).unwrap();
    assert_eq!(moved.verify(&token("a"), &Policy::default()).unwrap_err(), TokenError::KeysUnavailable);
}

#[tokio::test]
async fn its_tasks_end_with_the_workspace() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    let issuer = Arc::downgrade(&scene.verifier.workspaces["acme"]);
    assert_eq!(scene.verify(&token("a")), Ok(()), "what is remembered of it does not keep it");
    drop(scene.verifier);
    assert!(issuer.upgrade().is_none());
}
