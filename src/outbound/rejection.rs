//! skeleton
#[derive(Debug)] pub enum Rejection {}
