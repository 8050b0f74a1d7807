//! The statuses that an operator chose for calls whose credentials cannot be used.
//! Never decides what is wrong with them.

use http::StatusCode;

use super::rejection::Rejection;

/// A status for some of [`Rejection::code`]'s values, over the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Vec<(&'static str, StatusCode)>);

impl Statuses {
    /// `chosen`: code and status.
    #[must_use]
    pub fn new(chosen: Vec<(&'static str, StatusCode)>) -> Self {
        Self(chosen)
    }

    /// What a rejection is answered with.
    #[must_use]
    pub fn of(&self, rejection: &Rejection) -> StatusCode {
        let code = rejection.code();
        let chosen = self.0.iter().find(|(of, _)| *of == code);
        chosen.map_or_else(|| rejection.status(), |(_, status)| *status)
    }
}
