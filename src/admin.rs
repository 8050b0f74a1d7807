//! The operator's listeners: health and metrics for probes, status and control for whoever runs this machine.
//! Never serves traffic, never shows a secret.

pub mod connections;
pub mod control;
pub mod health;
mod page;
pub mod preview;
pub mod readiness;
pub mod rejection;
pub mod sealing;
pub mod status;
mod times;
