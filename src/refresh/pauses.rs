//! How long nobody asks again after failures, and how long they are remembered.
//! Knows nothing of what failed.

use std::time::Duration;

/// Pauses double from here
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// up to here where the provider may come back any moment: 35 requests in an outage of half an hour;
pub(super) const OUTAGE_PAUSE: Duration = Duration::from_secs(60);
/// up to here where somebody must do something first. It is also the longest pause that a provider may ask for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// What is longer ago says nothing any more.
pub(super) const MEMORY: Duration = LONGEST_PAUSE.saturating_mul(2);

/// How long nobody asks after so many failures: from the first on twice as long each time.
pub(super) fn pause(in_a_row: u32, longest: Duration) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << in_a_row.saturating_sub(1).min(10)).min(longest)
}
