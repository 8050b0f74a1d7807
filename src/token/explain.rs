//! skeleton
use super::{Policy, Verifier};
/// What a token holds and what would become of it: for `sidegate token explain`.
pub struct Explanation {
    pub header: Option<serde_json::Value>,
    /// claims with `fields` values redacted
    pub claims: Option<serde_json::Value>,
    /// "secret", "publicKeys main", "jwks kid abc" of workspace X; None if none would verify it
    pub key: Option<String>,
    pub outcome: Result<super::Verified, super::TokenError>,
    /// one line per remark: what is wrong and what to do
    pub remarks: Vec<String>,
}
impl Verifier { pub fn explain(&self, _token: &str, _policy: &Policy) -> Explanation { unimplemented!() } }
