//! An integration's refreshing as typed.
//! Knows nothing of providers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// When and how credentials are refreshed.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Refresh {
    /// How long before its end a token is refreshed at most: a fifth of its life, if that is shorter.
    pub(in crate::config) ahead: Span,
    /// Credentials that nobody uses are refreshed within this time, for providers that drop what is idle. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) keep_alive: Option<Span>,
    /// How long a caller waits for new credentials where the old ones have ended or were refused.
    pub(in crate::config) wait: Span,
    /// What becomes of a refresh token when it is used: `strict`, `none`, or `{reuse: DURATION}`.
    pub(in crate::config) rotation: Rotation,
    /// Whether a request whose credentials the third party refused is sent once more with new ones.
    pub(in crate::config) replay: bool,
}

impl Default for Refresh {
    fn default() -> Self {
        let (ahead, wait) = (Span::seconds(300), Span::seconds(15));
        Self { ahead, keep_alive: None, wait, rotation: Rotation::default(), replay: true }
    }
}

/// What becomes of a refresh token when it is used.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Rotation {
    Word(RotationWord),
    Window(RotationWindow),
}

impl Default for Rotation {
    fn default() -> Self {
        Self::Word(RotationWord::Strict)
    }
}

/// What becomes of a refresh token when it is used, in one word.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum RotationWord {
    /// It may be good for one use: never sent again, even if no answer came.
    Strict,
    /// It stays good: sent again until an answer comes.
    None,
}

/// The provider takes a refresh token again for a while.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct RotationWindow {
    /// How long after its first use: within that it is sent once more if no answer came.
    pub(in crate::config) reuse: Span,
}
