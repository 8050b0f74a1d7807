//! skeleton
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow { Public, Optional, Verified, Customer, Admin }
#[derive(Clone, Debug)]
pub struct RuleConfig { pub path: String, pub methods: Vec<http::Method>, pub allow: Allow, /// dotted path or /json/pointer -> any of these
    pub claims: Vec<(String, Vec<serde_json::Value>)> }
/// Proof that a rule admitted the request. Private fields; made only here: admit, open.
pub struct Permit { _private: () }
