//! What was done to connect something, step by step, for whoever has to find out why it did not work: in a browser, in a
//! terminal, in an answer of the API. Never holds a secret: what a step sent or got is a [`Payload`], which masks.

mod advice;
mod payload;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

pub use advice::Advice;
pub use payload::Payload;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The connector says how its third party is to be asked.
    Settings,
    /// OAuth1: the third party gives the token that a browser is sent with.
    RequestToken,
    /// The browser is sent to the third party.
    Authorization,
    /// The browser comes back from there.
    Callback,
    /// The third party gives tokens for what the browser brought.
    Exchange,
    /// The connector makes credentials of them, or of what was typed.
    Credentials,
    /// The connector's test.
    Test,
    /// The connection is stored.
    Stored,
}

impl Stage {
    /// All of connecting by OAuth2.
    pub const OAUTH2: &[Self] = &[
        Self::Settings,
        Self::Authorization,
        Self::Callback,
        Self::Exchange,
        Self::Credentials,
        Self::Test,
        Self::Stored,
    ];
    /// All of connecting by OAuth1.
    pub const OAUTH1: &[Self] = &[
        Self::Settings,
        Self::RequestToken,
        Self::Authorization,
        Self::Callback,
        Self::Exchange,
        Self::Credentials,
        Self::Test,
        Self::Stored,
    ];

    /// What is done, in words for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Settings => "Read the connector's settings",
            Self::RequestToken => "Get a request token",
            Self::Authorization => "Send the browser to log in and allow access",
            Self::Callback => "Wait for the browser to come back",
            Self::Exchange => "Exchange what it brought for tokens",
            Self::Credentials => "Make the credentials",
            Self::Test => "Test the connection",
            Self::Stored => "Store the connection",
        }
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// One before it failed, or is not done yet.
    NotReached,
    /// Begun, and not ended yet.
    Begun,
    /// It worked.
    Done,
    /// It did not.
    Failed,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it is for.
    pub stage: Stage,
    /// How far it is.
    pub state: State,
    /// The status of the third party's answer, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The third party's own code for what went wrong, as `invalid_grant`; else ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it sent or got.
    #[serde(default, skip_serializing_if = "Payload::is_empty")]
    pub payload: Payload,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Step {
    /// How long it took, if it has ended.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        Some(self.ended_at?.since(self.begun_at?))
    }

    /// What to do about it, if it failed.
    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        let advice = || advice::advice(self.stage, self.code.as_deref(), self.status);
        (self.state == State::Failed).then(advice).flatten()
    }
}

/// All steps of connecting something, those that are still to come too. One is under way at a time:
///
/// ```
/// # use sidegate::clock::Timestamp;
/// # use sidegate::steps::{Payload, Stage, Steps};
/// let mut steps = Steps::new(Stage::OAUTH2);
/// steps.begin(Stage::Settings, Timestamp::from_secs(1));
/// steps.done(Timestamp::from_secs(2), None, Payload::default());
/// steps.begin(Stage::Exchange, Timestamp::from_secs(2));
/// let reply = Payload::from_iter([("error", "invalid_grant"), ("refresh_token", "abc")]);
/// steps.failed(Timestamp::from_secs(3), Some(400), Some("invalid_grant"), reply);
/// assert!(steps.failure().unwrap().advice().is_some());
/// assert!(!format!("{steps:?}").contains("abc"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Steps(Vec<Step>);

impl Steps {
    /// None of these is reached yet.
    #[must_use]
    pub fn new(stages: &[Stage]) -> Self {
        let step = |stage: &Stage| Step {
            stage: *stage,
            state: State::NotReached,
            status: None,
            code: None,
            payload: Payload::default(),
            begun_at: None,
            ended_at: None,
        };
        Self(stages.iter().map(step).collect())
    }

    /// A step is under way from now on. One that is not among those to be done has no effect.
    pub fn begin(&mut self, stage: Stage, now: Timestamp) {
        if let Some(step) = self.0.iter_mut().find(|step| step.stage == stage) {
            step.state = State::Begun;
            step.begun_at = Some(now);
        }
    }

    /// The step that is under way worked. `status`: that of the third party's answer, if it was asked.
    pub fn done(&mut self, now: Timestamp, status: Option<u16>, payload: Payload) {
        self.end(State::Done, now, status, payload);
    }

    /// The step that is under way failed. `code`: the third party's own for what went wrong.
    pub fn failed(&mut self, now: Timestamp, status: Option<u16>, code: Option<&str>, payload: Payload) {
        if let Some(step) = self.end(State::Failed, now, status, payload) {
            step.code = code.map(payload::clean_code);
        }
    }

    fn end(
        &mut self,
        state: State,
        now: Timestamp,
        status: Option<u16>,
        payload: Payload,
    ) -> Option<&mut Step> {
        let step = self.0.iter_mut().find(|step| step.state == State::Begun)?;
        *step = Step { state, status, payload, ended_at: Some(now), ..step.clone() };
        Some(step)
    }

    /// The step that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&Step> {
        self.0.iter().find(|step| step.state == State::Failed)
    }

    /// Every step, in the order in which they are taken.
    pub fn iter(&self) -> std::slice::Iter<'_, Step> {
        self.0.iter()
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn steps_go_from_not_reached_to_their_end_one_at_a_time() {
        let mut steps = Steps::new(Stage::OAUTH2);
        steps.begin(Stage::Settings, at(1));
        steps.done(at(2), None, Payload::default());
        steps.begin(Stage::Authorization, at(2));
        steps.failed(at(5), Some(400), Some("access_denied"), Payload::default());
        let states: Vec<_> = steps.iter().map(|step| step.state).collect();
        assert_eq!(states[..3], [State::Done, State::Failed, State::NotReached]);
        let failure = steps.failure().unwrap();
        assert_eq!((failure.took(), failure.status), (Some(Duration::from_secs(3)), Some(400)));
        assert!(failure.advice().unwrap().to_string().contains("allow"));
        assert_eq!(steps.iter().next().unwrap().advice(), None);
    }

    #[test]
    fn what_is_not_under_way_cannot_end_and_what_is_not_planned_cannot_begin() {
        let mut steps = Steps::new(Stage::OAUTH2);
        let before = steps.clone();
        steps.done(at(1), Some(200), Payload::default());
        steps.begin(Stage::RequestToken, at(1));
        assert_eq!(steps, before);
    }

    #[test]
    fn a_reply_of_the_store_reads_as_it_was_written() {
        let mut steps = Steps::new(Stage::OAUTH1);
        steps.begin(Stage::RequestToken, at(1));
        steps.failed(at(1), Some(401), Some("signature_invalid"), Payload::from_iter([("token", "planted")]));
        let text = serde_json::to_string(&steps).unwrap();
        assert!(!text.contains("planted"), "{text}");
        assert_eq!(serde_json::from_str::<Steps>(&text).unwrap(), steps);
    }
}
