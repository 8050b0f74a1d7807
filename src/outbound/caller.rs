//! skeleton
use std::sync::Arc;
use crate::token::{Caller, Verifier};
/// Finds out who asks: a token (Authorization: Bearer, vendor headers, X-Sidegate-Token), or a trusted service.
pub struct Callers {}
impl Callers { pub fn new(_config: Arc<super::Config>, _verifier: Arc<Verifier>) -> Self { unimplemented!() }
  pub fn identify(&self, _headers: &http::HeaderMap) -> Result<Caller, super::rejection::Rejection> { unimplemented!() } }
