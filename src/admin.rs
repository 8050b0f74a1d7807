//! The operator's listener: health and metrics.
//! Never serves traffic, never shows a secret.

pub mod health;
pub mod readiness;
