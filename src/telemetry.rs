//! What an operator sees: metrics, one log line per request, diagnostics.
//! Never knows of secrets: what is recorded here is safe to show.

pub mod events;
pub mod labels;
mod line;
pub mod logging;
pub mod metrics;

pub use events::{RequestEvent, Telemetry};
pub use line::ServerAddress;
pub use logging::AccessLog;
