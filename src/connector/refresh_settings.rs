//! What an integration says of refreshing its credentials.
//! Never knows how a refresh is made.

use std::time::Duration;

/// When credentials are refreshed, and what may be done again. The default suits a provider of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshSettings {
    /// How long before its end a token is refreshed at most: a fifth of its life, if that is shorter.
    pub ahead: Duration,
    /// Credentials that nobody uses are refreshed within this time; none: not at all.
    pub keep_alive: Option<Duration>,
    /// How long a caller waits for new credentials where the old ones have ended or were refused.
    pub wait: Duration,
    /// What becomes of a refresh token when it is used.
    pub rotation: Rotation,
    /// Whether a request whose credentials the third party refused is sent once more with new ones.
    pub replay: bool,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        let (ahead, wait) = (Duration::from_secs(300), Duration::from_secs(15));
        Self { ahead, keep_alive: None, wait, rotation: Rotation::default(), replay: true }
    }
}

/// What becomes of a refresh token when it is used, which decides whether it may be sent again after an exchange that
/// ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It may be good for one use: it is never sent again. A provider may take a second use for a theft, and end the
    /// whole grant.
    #[default]
    Strict,
    /// A new one comes with each use, and for this long the provider takes the old one again: it is sent once more.
    Reuse(Duration),
    /// It stays good: it is sent as often as it takes.
    None,
}
