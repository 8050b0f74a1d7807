//! Sidegate.
pub mod clock;
pub mod document;
pub mod names;
pub mod report;
pub mod secret;
