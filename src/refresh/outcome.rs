//! skeleton
/// Why there is no fresh credential; `code()` is what the caller and X-Sidegate-Refresh see: needs_reconnect, provider_down, throttled_until, misconfigured_app, outcome_unknown, not_refreshable.
#[derive(Debug, thiserror::Error, Clone)]
pub enum RefreshError { #[error("placeholder")] Placeholder }
impl RefreshError { pub fn code(&self) -> &'static str { unimplemented!() } }
