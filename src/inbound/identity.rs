//! skeleton
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property { Id, Workspace, Name, Fields, IsAdmin, /// dotted path or pointer
    Claim(String) }
