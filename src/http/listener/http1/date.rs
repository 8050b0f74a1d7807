//! The Date of answers whose handler gave none (RFC 9110 section 6.6.1), written down once a second.
//! Never anybody's clock: nothing is decided by it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The date of a worker's answers. Its lock is never contended.
#[derive(Default)]
pub(in crate::http::listener) struct Date(Mutex<Option<Written>>);

struct Written {
    until: Instant,
    text: String,
}

impl Date {
    /// Writes what the date is at `now`.
    pub(super) fn write(&self, out: &mut Vec<u8>, now: Instant) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let date = match &*written {
            Some(date) if now < date.until => date,
            _ => written.insert(Written::at(now)),
        };
        out.extend_from_slice(date.text.as_bytes());
    }
}

impl Written {
    /// What is true until the wall clock's next second.
    #[expect(clippy::disallowed_methods, reason = "it tells people when an answer was given")]
    fn at(now: Instant) -> Self {
        let time = SystemTime::now();
        let within = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(u64::from(within)));
        Self { until: now + left, text: httpdate::fmt_http_date(time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &Date, now: Instant) -> SystemTime {
        let mut out = Vec::new();
        date.write(&mut out, now);
        httpdate::parse_http_date(std::str::from_utf8(&out).unwrap()).unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is about the wall clock")]
    fn it_is_the_wall_clocks_second_and_written_anew_when_that_is_over() {
        let date = Date::default();
        let before = SystemTime::now() - Duration::from_secs(1);
        let first = at(&date, Instant::now());
        assert!(before < first && first <= SystemTime::now());

        let kept = date.0.lock().unwrap().as_ref().unwrap().until;
        at(&date, kept - Duration::from_nanos(1));
        assert_eq!(date.0.lock().unwrap().as_ref().unwrap().until, kept);
        at(&date, kept);
        assert!(date.0.lock().unwrap().as_ref().unwrap().until > kept);
    }
}
