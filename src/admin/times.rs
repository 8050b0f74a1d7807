//! Points in time as an operator reads them: RFC 3339, in UTC.
//! Knows nothing of what happened then.

use serde::Serializer;

use crate::clock::Timestamp;

pub(super) fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde passes the field itself")]
pub(super) fn as_optional_text<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
