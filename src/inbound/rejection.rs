//! skeleton
/// Every way to say no here; the only status codes of this door.
#[derive(Debug)] pub enum Rejection {}
