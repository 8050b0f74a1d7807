//! The way out: what reaches a third party, what comes back, and what never leaves.

mod host_parts;
mod hostile;
mod names;
mod paths;
mod redirects;
mod requests;
mod scene;
mod secrets;
mod upgrades;
mod uploads;
