//! How far it is with requests to connect that somebody follows just now, for whoever waits for their end.
//! Never says how one ended, and is not missed where it is gone: that is the store's.

use std::time::Duration;

use moka::sync::Cache;

use crate::steps::Steps;

/// How many requests are known, and for how long after their last step: as long as a consent may take.
const MOST: u64 = 2_000;
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Longer than any name of ours; others' are not kept.
const LONGEST_NAME: usize = 64;

/// The steps of each request so far.
pub(super) struct Progress(Cache<String, Steps>);

impl Default for Progress {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(LIFETIME).build())
    }
}

impl Progress {
    /// Another step is begun, or has ended.
    pub(super) fn tell(&self, request: &str, steps: &Steps) {
        if request.len() <= LONGEST_NAME {
            self.0.insert(request.to_owned(), steps.clone());
        }
    }

    /// The steps so far; none of what nobody follows.
    pub(super) fn of(&self, request: &str) -> Steps {
        self.0.get(request).unwrap_or_default()
    }

    /// It is over.
    pub(super) fn forget(&self, request: &str) {
        self.0.invalidate(request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Stage;

    #[test]
    fn steps_are_known_until_it_is_over_and_under_names_as_ours_are() {
        let (progress, steps) = (Progress::default(), Steps::new(Stage::OAUTH2));
        let long = "x".repeat(LONGEST_NAME + 1);
        for name in ["19a-1", &long] {
            progress.tell(name, &steps);
        }
        assert_eq!((progress.of("19a-1"), progress.of(&long)), (steps, Steps::default()));
        progress.forget("19a-1");
        assert!(progress.of("19a-1").is_empty());
    }
}
