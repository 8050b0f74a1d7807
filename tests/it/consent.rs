//! Connecting by a customer's consent, as a browser meets it between an app, Sidegate and a provider.

mod answers;
mod posted;
mod rotated;
mod scene;
mod users;
mod ways;
