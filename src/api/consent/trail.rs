//! The steps of a consent as they are taken: when each began, how it ended, and what it sent or got.
//! Never notes a value but through a payload, which masks.

use std::borrow::Cow;

use super::Redeemed;
use super::rejection::ConsentError;
use crate::api::progress::Progress;
use crate::api::rejection::Rejection;
use crate::clock::Clock;
use crate::connector::OAuthConfig;
use crate::formula::Value;
use crate::method::Tested;
use crate::refresh::{CodeError, FirstCredentials, FirstTokens};
use crate::steps::{Payload, Stage, Steps};

/// Steps being taken.
pub(super) struct Trail<'a> {
    clock: &'a dyn Clock,
    steps: &'a mut Steps,
    /// Where they are told meanwhile, and under which name.
    told: Option<(&'a Progress, &'a str)>,
}

impl<'a> Trail<'a> {
    pub(super) fn new(
        clock: &'a dyn Clock,
        steps: &'a mut Steps,
        told: Option<(&'a Progress, &'a str)>,
    ) -> Self {
        Self { clock, steps, told }
    }

    /// Which steps there are to take; none is taken yet.
    pub(super) fn plan(&mut self, stages: &[Stage]) {
        *self.steps = Steps::new(stages);
        self.tell();
    }

    /// A step is under way.
    pub(super) fn begin(&mut self, stage: Stage) {
        self.steps.begin(stage, self.clock.now());
        self.tell();
    }

    /// The step that is under way has ended: with what `payload` shows, or with what its error says.
    pub(super) fn ended<T>(
        &mut self,
        made: Result<T, Rejection>,
        payload: impl FnOnce(&T) -> Payload,
    ) -> Result<T, Rejection> {
        self.answered(made, |made| (None, payload(made)))
    }

    /// An exchange has ended: with the tokens, or with what its error says.
    pub(super) fn exchanged(
        &mut self,
        made: Result<FirstTokens, Rejection>,
    ) -> Result<FirstTokens, Rejection> {
        self.answered(made, |tokens| (tokens.status, Payload::from(&*tokens.reply)))
    }

    /// `told`: the status of the third party's answer, if it was asked, and what is shown of it.
    pub(super) fn answered<T>(
        &mut self,
        made: Result<T, Rejection>,
        told: impl FnOnce(&T) -> (Option<u16>, Payload),
    ) -> Result<T, Rejection> {
        let now = self.clock.now();
        match &made {
            Ok(made) => {
                let (status, payload) = told(made);
                self.steps.done(now, status, payload);
            }
            Err(rejection) => {
                let Said { status, code, description } = said(rejection);
                let code = Some(&*code).filter(|code| !code.is_empty());
                let told = [("error", code), ("error_description", Some(&*description))];
                let told = told.into_iter().filter_map(|(name, text)| Some((name, text?)));
                self.steps.failed(now, status, code, Payload::from_iter(told));
            }
        }
        self.tell();
        made
    }

    fn tell(&self) {
        if let Some((progress, request)) = self.told {
            progress.tell(request, self.steps);
        }
    }
}

/// What a third party said where it refused; else what we say.
struct Said<'r> {
    status: Option<u16>,
    code: Cow<'r, str>,
    description: Cow<'r, str>,
}

fn said(rejection: &Rejection) -> Said<'_> {
    let (status, code, description) = match rejection {
        Rejection::Consent(ConsentError::Code(
            CodeError::Refused { status, code, description } | CodeError::App { status, code, description },
        )) => (Some(*status), code, description),
        Rejection::Consent(ConsentError::Refused { code, description }) => (None, code, description),
        other => {
            let status = match other {
                Rejection::Test(error) | Rejection::Input(error) => error.status(),
                Rejection::Consent(ConsentError::Code(CodeError::Method(error))) => error.status(),
                Rejection::Refresh { source, .. } => source.status(),
                _ => None,
            };
            return Said { status, code: other.code().into(), description: other.to_string().into() };
        }
    };
    Said { status, code: code.into(), description: description.into() }
}

/// What the connector's test came to.
pub(super) fn tested(tested: Tested) -> (Option<u16>, Payload) {
    match tested {
        Tested::Passed { status } => (status, Payload::default()),
        Tested::NoTest => (None, Payload::from_iter([("detail", "the connector has no test")])),
    }
}

/// What a connector says of its provider.
pub(super) fn settings(config: &OAuthConfig) -> Payload {
    let texts = [
        ("client_id", Some(config.client_id.as_str())),
        ("authorizeUri", config.authorize_uri.as_deref()),
        ("tokenUri", Some(config.token_uri.as_str())),
        ("issuer", config.issuer.as_deref()),
    ];
    Payload::from_iter(texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text?)))))
}

/// A query, as it is sent or comes back.
pub(super) fn query<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Payload {
    pairs.into_iter().map(|(name, value)| (name, Value::from(value.as_ref()))).collect()
}

/// What was granted, and what is missing: scopes, and a refresh token where one is to be expected.
pub(super) fn granted(redeemed: &Redeemed, first: &FirstCredentials) -> Payload {
    let mut told = Vec::new();
    if let Some(granted) = &redeemed.granted {
        let missing = redeemed.asked.iter().filter(|scope| !granted.contains(scope));
        let missing: Vec<_> = missing.cloned().collect();
        told.push(("granted.scope", Value::from(granted.join(" "))));
        if !missing.is_empty() {
            told.push(("missing.scope", Value::from(missing.join(" "))));
        }
    }
    let token = first.credentials.get("refresh_token").and_then(Value::as_str);
    if redeemed.renews && token.is_none_or(str::is_empty) {
        told.push(("refresh_token", Value::Null));
    }
    Payload::from_iter(told)
}
