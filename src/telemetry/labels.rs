//! skeleton: closed enums only; no caller-supplied text becomes a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door { Inbound, Outbound, Api }
/// Whose fault an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame { None, Caller, Us, Upstream, ThirdParty, Operator }
/// How a refresh ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshOutcome { Refreshed, DeadGrant, DeadApp, Transient, Unknown, NotSaved }
