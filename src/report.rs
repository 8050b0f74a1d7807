//! An error with its whole chain of causes, as one line for a log.
//! Knows nothing of who reads it; what a caller may see is a room's `Rejection`.

use std::error::Error;
use std::fmt;
use std::io;

/// Displays `error: cause: cause of the cause`. The only way an error reaches a log.
pub struct Report<'a>(&'a (dyn Error + 'static));

/// Prepares `error` for a log line.
pub fn report<'a>(error: &'a (dyn Error + 'static)) -> Report<'a> {
    Report(error)
}

/// Whether time running out is what `error` comes from.
#[must_use]
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let of_io = error.downcast_ref::<io::Error>();
    of_io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        || error.source().is_some_and(is_timeout)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
